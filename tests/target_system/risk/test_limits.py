"""Limits are inclusive, every breach is named with its reason, and what names no price is judged by the last trade."""

from __future__ import annotations

import pytest

from target_system.risk.limits import (
    Exposure,
    Limits,
    Order,
    RiskReason,
    order_breaches,
    position_breach,
    rate_breach,
)

LIMITS = Limits(
    quantity_lots_max=10, notional_max=500, collar_bps=1_000, position_lots_max=20, exposure_per_s_max=1_000
)
QUANTITY, NOTIONAL, COLLAR = RiskReason.QUANTITY_LIMIT, RiskReason.NOTIONAL_LIMIT, RiskReason.PRICE_COLLAR


def order(price_ticks: int | None, lots: int, is_buy: bool = True) -> Order:
    return Order(1, "a", "AAPL", is_buy, price_ticks, lots)


@pytest.mark.parametrize(
    ("price_ticks", "lots", "last", "reasons"),
    [
        (50, 10, None, []),
        (51, 10, None, [NOTIONAL]),
        (1, 11, None, [QUANTITY]),
        (100, 11, None, [QUANTITY, NOTIONAL]),
        (None, 10, None, []),
        (None, 10, 50, []),
        (None, 10, 51, [NOTIONAL]),
        (55, 1, 50, []),
        (56, 1, 50, [COLLAR]),
        (45, 1, 50, []),
        (44, 1, 50, [COLLAR]),
    ],
)
def test_each_breach_of_an_order_is_named(
    price_ticks: int | None, lots: int, last: int | None, reasons: list[RiskReason]
) -> None:
    assert [breach.reason for breach in order_breaches(LIMITS, order(price_ticks, lots), last)] == reasons


@pytest.mark.parametrize(
    ("is_buy", "exposure", "fits"),
    [
        (True, Exposure(10, 0, 0), True),
        (True, Exposure(10, 1, 0), False),
        (True, Exposure(-5, 15, 99), True),
        (False, Exposure(-10, 0, 0), True),
        (False, Exposure(-10, 0, 1), False),
        (False, Exposure(11, 99, 21), True),
    ],
)
def test_a_position_is_judged_as_if_every_open_order_of_its_side_were_filled(
    is_buy: bool, exposure: Exposure, fits: bool
) -> None:
    assert (position_breach(LIMITS, order(1, 10, is_buy), exposure) is None) is fits


def test_the_rate_counts_what_was_sent_within_the_second() -> None:
    assert rate_breach(LIMITS, 600, 400) is None
    breach = rate_breach(LIMITS, 601, 400)
    assert breach is not None
    assert breach.reason is RiskReason.EXPOSURE_RATE
