"""Checks on an order before it is traded. Pure: an order and the limits in, the breaches out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    quantity_lots_max: int
    notional_max: int
    """Ticks × lots. A market order names no price, so only its quantity is bounded."""


@dataclass(frozen=True, slots=True)
class Breach:
    member: str
    detail: str


def breaches(limits: Limits, price_ticks: int | None, quantity_lots: int) -> tuple[Breach, ...]:
    """Every limit that the order exceeds; `price_ticks` is None for a market order."""
    found = []
    if quantity_lots > limits.quantity_lots_max:
        found.append(Breach("quantity_lots", f"{quantity_lots} lots exceed the limit of {limits.quantity_lots_max}"))
    if price_ticks is not None and price_ticks * quantity_lots > limits.notional_max:
        detail = f"{price_ticks} × {quantity_lots} ticks × lots exceed the limit of {limits.notional_max}"
        found.append(Breach("quantity_lots", detail))
    return tuple(found)
