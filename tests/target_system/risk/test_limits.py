"""Limits are inclusive, every breach is named, and a market order has no notional to bound."""

from __future__ import annotations

import pytest

from target_system.risk.limits import Limits, breaches

LIMITS = Limits(quantity_lots_max=10, notional_max=500)


@pytest.mark.parametrize(
    ("price_ticks", "quantity_lots", "members"),
    [
        (50, 10, []),
        (51, 10, ["quantity_lots"]),
        (1, 11, ["quantity_lots"]),
        (100, 11, ["quantity_lots", "quantity_lots"]),
        (None, 10, []),
        (None, 11, ["quantity_lots"]),
    ],
)
def test_each_breach_is_named(price_ticks: int | None, quantity_lots: int, members: list[str]) -> None:
    assert [breach.member for breach in breaches(LIMITS, price_ticks, quantity_lots)] == members
