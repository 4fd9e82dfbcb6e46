"""What an account may do, as rules without state: an order, the limits and what is known go in, breaches come out.

Where the state lives that the last two rules ask for is the portfolios' affair (`portfolio`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RiskReason(StrEnum):
    """Why an order is refused before the engine sees it."""

    QUANTITY_LIMIT = "quantity_limit"
    NOTIONAL_LIMIT = "notional_limit"
    PRICE_COLLAR = "price_collar"
    POSITION_LIMIT = "position_limit"
    EXPOSURE_RATE = "exposure_rate"


@dataclass(frozen=True, slots=True)
class Limits:
    """Per account; each bound is inclusive. Notional is ticks × lots."""

    quantity_lots_max: int
    notional_max: int
    collar_bps: int
    """How far, in hundredths of a percent, a price may lie from the symbol's last trade, if there was one."""
    position_lots_max: int
    """Of a symbol, long or short, if every open order on that side were filled."""
    exposure_per_s_max: int
    """Notional of the orders that an account may send within one second of the clock."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the rules know of an order. A replacement is one too, of its whole new quantity."""

    account: int
    name: str
    """Its client order id: with the account the identity by which it is found again."""
    symbol: str
    is_buy: bool
    price_ticks: int | None
    """None for a market order, which is judged by the last trade's price."""
    quantity_lots: int

    def notional(self, last_price_ticks: int | None) -> int:
        return (self.price_ticks or last_price_ticks or 0) * self.quantity_lots


@dataclass(frozen=True, slots=True)
class Exposure:
    """What an account holds and has open in a symbol, in lots. Open orders include those still on their way."""

    position: int = 0
    open_buy: int = 0
    open_sell: int = 0


@dataclass(frozen=True, slots=True)
class Breach:
    reason: RiskReason
    member: str
    detail: str


def order_breaches(limits: Limits, order: Order, last_price_ticks: int | None) -> tuple[Breach, ...]:
    """Every limit on a single order that this one exceeds."""
    found = []
    lots, price = order.quantity_lots, order.price_ticks
    if lots > limits.quantity_lots_max:
        detail = f"{lots} lots exceed the limit of {limits.quantity_lots_max}"
        found.append(Breach(RiskReason.QUANTITY_LIMIT, "quantity_lots", detail))
    if order.notional(last_price_ticks) > limits.notional_max:
        detail = f"{price or last_price_ticks} × {lots} ticks × lots exceed the limit of {limits.notional_max}"
        found.append(Breach(RiskReason.NOTIONAL_LIMIT, "quantity_lots", detail))
    if price is not None and last_price_ticks:
        reach = last_price_ticks * limits.collar_bps // 10_000
        if abs(price - last_price_ticks) > reach:
            detail = f"{price} is further than {reach} ticks from the last trade at {last_price_ticks}"
            found.append(Breach(RiskReason.PRICE_COLLAR, "price_ticks", detail))
    return tuple(found)


def position_breach(limits: Limits, order: Order, exposure: Exposure) -> Breach | None:
    """Whether the order could take the account beyond its position limit; `exposure` is without the order."""
    if order.is_buy:
        worst = exposure.position + exposure.open_buy + order.quantity_lots
    else:
        worst = -exposure.position + exposure.open_sell + order.quantity_lots
    if worst <= limits.position_lots_max:
        return None
    side = "long" if order.is_buy else "short"
    detail = f"with all open orders filled {worst} lots {side}, beyond the limit of {limits.position_lots_max}"
    return Breach(RiskReason.POSITION_LIMIT, "quantity_lots", detail)


def rate_breach(limits: Limits, sent: int, notional: int) -> Breach | None:
    """`sent`: the account's notional within this second, without the order."""
    if sent + notional <= limits.exposure_per_s_max:
        return None
    detail = f"{sent + notional} ticks × lots within this second exceed the limit of {limits.exposure_per_s_max}"
    return Breach(RiskReason.EXPOSURE_RATE, "quantity_lots", detail)
