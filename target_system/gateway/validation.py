"""From a request body to an order, or to every fault of the body at once. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from target_system.gateway.replies import Fault
from target_system.orders import CLIENT_ORDER_ID, OrderType, Side

MEMBERS = frozenset(("client_order_id", "account", "symbol", "side", "type", "price_ticks", "quantity_lots"))
LOTS_CEILING = 2**53 - 1
"""The largest integer that every JSON reader keeps exact."""

SIDES = frozenset(Side)
TYPES = frozenset(OrderType)

decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode


class Malformed(Exception):
    """The body is not a JSON object."""


@dataclass(frozen=True, slots=True)
class NewOrder:
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    price_ticks: int | None
    """None for a market order."""
    quantity_lots: int


@dataclass(frozen=True, slots=True)
class Tradable:
    """What may be traded here."""

    symbols: frozenset[str]
    price_ticks_min: int
    price_ticks_max: int


def parse_order(body: bytes, account: int, tradable: Tradable) -> NewOrder | list[Fault]:
    """The order, or its faults. Raises Malformed where there is no JSON object to find faults in."""
    try:
        given: dict[str, Any] = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(str(error)) from None
    if type(given) is not dict:
        raise Malformed(f"the body is a JSON {type(given).__name__}")
    get: Callable[[str], Any] = given.get
    order = NewOrder(
        get("client_order_id"), get("symbol"), get("side"), get("type"), get("price_ticks"), get("quantity_lots")
    )
    return faults(given, order, account, tradable) or order


def faults(given: dict[str, Any], order: NewOrder, account: int, tradable: Tradable) -> list[Fault]:
    """What keeps the members of `order`, taken from `given` as they came, from being what NewOrder says they are."""
    found = []

    def fault(member: str, detail: str) -> None:
        said = detail if member in given else f"missing: {detail}"
        found.append(Fault("/" + member.replace("~", "~0").replace("/", "~1"), said))

    name = order.client_order_id
    if type(name) is not str or CLIENT_ORDER_ID.fullmatch(name) is None:
        fault("client_order_id", "must be 1 to 36 characters of A-Z a-z 0-9 . _ -")
    if type(order.symbol) is not str or order.symbol not in tradable.symbols:
        fault("symbol", "must be one of " + ", ".join(sorted(tradable.symbols)))
    if type(order.side) is not str or order.side not in SIDES:
        fault("side", "must be buy or sell")
    if type(order.type) is not str or order.type not in TYPES:
        fault("type", "must be limit or market")
    if type(order.quantity_lots) is not int or not 1 <= order.quantity_lots <= LOTS_CEILING:
        fault("quantity_lots", f"must be an integer from 1 to {LOTS_CEILING}")
    lowest, highest = tradable.price_ticks_min, tradable.price_ticks_max
    if order.type == OrderType.MARKET:
        if "price_ticks" in given:
            fault("price_ticks", "must be absent from a market order")
    elif type(order.price_ticks) is not int or not lowest <= order.price_ticks <= highest:
        fault("price_ticks", f"must be an integer from {lowest} to {highest}")
    if "account" in given and (type(given["account"]) is not int or given["account"] != account):
        fault("account", "is not the account of this API key; it may be left out")
    for member in given.keys() - MEMBERS:
        fault(member, "is not a member of an order")
    return found
