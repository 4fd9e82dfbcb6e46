"""From a request body to what it asks for, or to every fault of the body at once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from target_system.gateway.replies import Fault
from target_system.orders import CLIENT_ORDER_ID, OrderType, PostOnly, SelfTradePrevention, Side, TimeInForce

LOTS_CEILING = 2**53 - 1
"""The largest integer that every JSON reader keeps exact."""
LEASE_MS_MIN, LEASE_MS_MAX = 500, 600_000

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
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: PostOnly | None = None
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.OFF


@dataclass(frozen=True, slots=True)
class Replacement:
    """Symbol and side are those of the order that is replaced: the client says what it means to change."""

    client_order_id: str
    symbol: str
    side: Side
    price_ticks: int
    quantity_lots: int
    """The new open quantity."""
    post_only: PostOnly | None = None
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.OFF


@dataclass(frozen=True, slots=True)
class MassCancel:
    client_order_id: str
    symbol: str | None = None
    """None: every symbol."""


@dataclass(frozen=True, slots=True)
class Tradable:
    """What may be traded here."""

    symbols: frozenset[str]
    price_ticks_min: int
    price_ticks_max: int


@dataclass(frozen=True, slots=True)
class Rule:
    holds: Callable[[Any], bool]
    detail: str


def one_of(words: Iterable[str]) -> Rule:
    known = frozenset(words)
    said = sorted(known)
    detail = " or ".join(said) if len(said) == 2 else "one of " + ", ".join(said)
    return Rule(lambda value: type(value) is str and value in known, f"must be {detail}")


def integer(lowest: int, highest: int) -> Rule:
    return Rule(
        lambda value: type(value) is int and lowest <= value <= highest,
        f"must be an integer from {lowest} to {highest}",
    )


NAME = Rule(
    lambda value: type(value) is str and CLIENT_ORDER_ID.fullmatch(value) is not None,
    "must be 1 to 36 characters of A-Z a-z 0-9 . _ -",
)
OPERATION_NAME = Rule(
    lambda value: NAME.holds(value) and len(value) <= 34, "must be 1 to 34 characters of A-Z a-z 0-9 . _ -"
)


class Forms:
    """What each request body must look like. Every method gives what was asked, or the faults of the body.

    Raises Malformed where there is no JSON object to find faults in.
    """

    def __init__(self, tradable: Tradable) -> None:
        self._rules = {
            "client_order_id": NAME,
            "symbol": one_of(tradable.symbols),
            "side": one_of(Side),
            "type": one_of(OrderType),
            "quantity_lots": integer(1, LOTS_CEILING),
            "price_ticks": integer(tradable.price_ticks_min, tradable.price_ticks_max),
            "time_in_force": one_of(TimeInForce),
            "post_only": one_of(PostOnly),
            "self_trade_prevention": one_of(SelfTradePrevention),
            "name": OPERATION_NAME,
            "lease_ms": integer(LEASE_MS_MIN, LEASE_MS_MAX),
        }

    def order(self, body: bytes, account: int) -> NewOrder | list[Fault]:
        given = object_in(body)
        is_market = given.get("type") == OrderType.MARKET
        needed = NEW_MARKET if is_market else NEW_LIMIT
        optional = ("self_trade_prevention", "time_in_force", "account") + (() if is_market else ("post_only",))
        found = self._faults(given, needed, optional, account)
        if is_market and "price_ticks" in given:
            found = [f for f in found if f.pointer != "/price_ticks"]
            found.append(Fault("/price_ticks", "must be absent from a market order"))
        if is_market and given.get("time_in_force") == TimeInForce.GTC:
            found.append(Fault("/time_in_force", "a market order never rests; leave it out, or say ioc or fok"))
        if "post_only" in given and given.get("time_in_force", TimeInForce.GTC) != TimeInForce.GTC:
            found.append(Fault("/post_only", "is for orders that rest; time_in_force must be gtc or absent"))
        if found:
            return found
        get: Callable[..., Any] = given.get
        return NewOrder(
            get("client_order_id"), get("symbol"), get("side"), get("type"), get("price_ticks"), get("quantity_lots"),
            get("time_in_force", TimeInForce.GTC), get("post_only"),
            get("self_trade_prevention", SelfTradePrevention.OFF),
        )  # fmt: skip

    def replacement(self, body: bytes) -> Replacement | list[Fault]:
        given = object_in(body)
        return self._faults(given, REPLACED, ("post_only", "self_trade_prevention")) or Replacement(**given)

    def mass_cancel(self, body: bytes) -> MassCancel | list[Fault]:
        given = object_in(body)
        return self._faults(given, ("client_order_id",), ("symbol",)) or MassCancel(**given)

    def operation(self, body: bytes) -> str | list[Fault]:
        """The name that makes an operator's command repeatable."""
        given = object_in(body)
        return self._faults(given, ("name",)) or str(given["name"])

    def lease_ms(self, body: bytes) -> int | list[Fault]:
        given = object_in(body)
        return self._faults(given, ("lease_ms",)) or int(given["lease_ms"])

    def _faults(
        self, given: dict[str, Any], needed: tuple[str, ...], optional: tuple[str, ...] = (), account: int | None = None
    ) -> list[Fault]:
        found = []
        for member in needed:
            rule = self._rules[member]
            if not rule.holds(given.get(member)):
                found.append(Fault(f"/{member}", rule.detail if member in given else f"missing: {rule.detail}"))
        if len(given) > len(needed) or found:
            for member in given.keys() - set(needed):
                if member not in optional:
                    pointer = "/" + member.replace("~", "~0").replace("/", "~1")
                    found.append(Fault(pointer, "is not a member of this request"))
                elif member == "account":
                    if type(given[member]) is not int or given[member] != account:
                        found.append(Fault("/account", "is not the account of this API key; it may be left out"))
                elif not self._rules[member].holds(given[member]):
                    found.append(Fault(f"/{member}", self._rules[member].detail))
        return found


NEW_MARKET = ("client_order_id", "symbol", "side", "type", "quantity_lots")
NEW_LIMIT = (*NEW_MARKET, "price_ticks")
REPLACED = ("client_order_id", "symbol", "side", "price_ticks", "quantity_lots")


def object_in(body: bytes) -> dict[str, Any]:
    try:
        given = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(str(error)) from None
    if type(given) is not dict:
        raise Malformed(f"the body is a JSON {type(given).__name__}")
    return given
