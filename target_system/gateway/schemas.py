"""What the API's documents look like, for its OpenAPI description. The hot path does not parse with these."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from target_system.gateway.validation import LEASE_MS_MAX, LEASE_MS_MIN
from target_system.orders import PostOnly, SelfTradePrevention, Side, TimeInForce
from target_system.proto import engine_pb2 as pb
from target_system.risk.limits import RiskReason

REASONS = [name.lower() for name in pb.Reason.keys() if name != "REASON_NONE"]  # noqa: SIM118
Reason = StrEnum("Reason", {word.upper(): word for word in (*REASONS, *RiskReason)})  # type: ignore[misc]
"""Why a risk rule or the book refused, or the book cancelled the rest: every reason that they know."""


class Bodies:
    """JSON schemas of the request bodies. What no schema can say: `account` must be the account of the API key."""

    def __init__(
        self, symbols: Sequence[str], price_ticks_min: int, price_ticks_max: int, quantity_lots_max: int
    ) -> None:
        self._terms = {
            "client_order_id": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,36}$"},
            "symbol": {"enum": list(symbols)},
            "side": {"enum": list(Side)},
            "quantity_lots": {"type": "integer", "minimum": 1, "maximum": quantity_lots_max},
            "price_ticks": {"type": "integer", "minimum": price_ticks_min, "maximum": price_ticks_max},
            "self_trade_prevention": {"enum": list(SelfTradePrevention)},
            "post_only": {"enum": list(PostOnly)},
            "account": {"type": "integer", "description": "of the API key; may be left out"},
        }

    def order(self) -> dict[str, Any]:
        common = ("client_order_id", "symbol", "side", "quantity_lots")
        limit = {"type": {"const": "limit"}}
        taking = {"enum": ["ioc", "fok"]}
        any_time = {"enum": list(TimeInForce)}
        extra = ("self_trade_prevention", "account")
        return {
            "oneOf": [
                self._object("limit order", (*common, "price_ticks"), extra, limit | {"time_in_force": any_time}),
                self._object(
                    "post-only limit order", (*common, "price_ticks", "post_only"), extra,
                    limit | {"time_in_force": {"const": "gtc"}},
                ),
                self._object(
                    "market order", common, extra, {"type": {"const": "market"}, "time_in_force": taking}
                ),
            ]
        }  # fmt: skip

    def replacement(self) -> dict[str, Any]:
        needed = ("client_order_id", "symbol", "side", "price_ticks", "quantity_lots")
        return self._object("replacement", needed, ("post_only", "self_trade_prevention"))

    def mass_cancel(self) -> dict[str, Any]:
        return self._object("mass cancel", ("client_order_id",), ("symbol",))

    def _object(
        self, title: str, needed: tuple[str, ...], optional: tuple[str, ...], more: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """`more`: members beside the terms, of which `type` is needed."""
        more = more or {}
        properties = {member: self._terms[member] for member in (*needed, *optional)} | more
        required = [*needed, *(["type"] if "type" in more else [])]
        return {
            "title": title, "type": "object", "additionalProperties": False, "properties": properties,
            "required": required,
        }  # fmt: skip


OPERATION: dict[str, Any] = {
    "title": "operation", "type": "object", "additionalProperties": False, "required": ["name"],
    "properties": {"name": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,34}$"}},
}  # fmt: skip
"""`name` makes an operator's command repeatable, as the client order id does an order."""
LEASE: dict[str, Any] = {
    "title": "lease", "type": "object", "additionalProperties": False, "required": ["lease_ms"],
    "properties": {"lease_ms": {"type": "integer", "minimum": LEASE_MS_MIN, "maximum": LEASE_MS_MAX}},
}  # fmt: skip


class FillAnswer(BaseModel):
    trade_id: int
    maker_order_id: int
    price_ticks: int
    quantity_lots: int


class RemovedAnswer(BaseModel):
    """A resting order that another command took out, or shrank."""

    order_id: int
    quantity_lots: int


class OrderAnswer(BaseModel):
    """Of a new order or a replacement."""

    order_id: int
    sequence: int
    client_order_id: str
    outcome: Literal["resting", "filled", "cancelled", "replaced"]
    reason: Reason | None = None
    filled_lots: int
    remaining_lots: int
    cancelled_lots: int
    resting_price_ticks: Annotated[int | None, Field(description="where it rests, if not where it asked to")] = None
    fills: list[FillAnswer]
    removed: Annotated[list[RemovedAnswer] | None, Field(description="own orders, by self-trade prevention")] = None


class CancelAnswer(BaseModel):
    order_id: int
    sequence: int
    outcome: Literal["cancelled"]
    filled_lots: int
    remaining_lots: int
    cancelled_lots: int


class MassCancelAnswer(BaseModel):
    """Of a mass cancel, and of an account's kill."""

    client_order_id: str | None = None
    sequence: int
    outcome: Literal["done"]
    cancelled_lots: int
    removed: list[RemovedAnswer]


class OperationAnswer(BaseModel):
    client_order_id: str | None = None
    sequence: int
    outcome: Literal["done"]


class SessionAnswer(BaseModel):
    account: int
    session: int
    lease_ms: int


class OrderState(BaseModel):
    order_id: int
    client_order_id: str
    symbol: str
    side: Literal["buy", "sell"]
    type: Literal["limit", "market"]
    price_ticks: int | None
    quantity_lots: int
    status: Literal["open", "filled", "cancelled", "rejected"]
    filled_lots: int
    remaining_lots: int
    cancelled_lots: int


class LevelAnswer(BaseModel):
    price_ticks: int
    quantity_lots: int
    orders: int


class BookAnswer(BaseModel):
    symbol: str
    sequence: int
    bids: list[LevelAnswer]
    asks: list[LevelAnswer]
    halted: bool
    last_trade_price_ticks: int | None


class TradeAnswer(BaseModel):
    trade_id: int
    sequence: int
    price_ticks: int
    quantity_lots: int
    taker_side: Literal["buy", "sell"]
    time_ns: Annotated[int, Field(description="when the gateway received the order that traded")]


class TradesAnswer(BaseModel):
    symbol: str
    trades: list[TradeAnswer]


class CandleAnswer(BaseModel):
    start_s: Annotated[int, Field(description="Unix time")]
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    quantity_lots: int
    trades: int


class CandlesAnswer(BaseModel):
    symbol: str
    candles: list[CandleAnswer]


class PositionAnswer(BaseModel):
    symbol: str
    lots: int
    cash: Annotated[int, Field(description="ticks × lots received minus paid")]


class PortfolioAnswer(BaseModel):
    account: int
    source: Literal["redis", "ledger"]
    applied_sequence: Annotated[int | None, Field(description="every command up to here is in the positions")]
    positions: list[PositionAnswer]


class FaultAnswer(BaseModel):
    pointer: Annotated[str, Field(description="RFC 6901, into the request's body")]
    detail: str
    reason: Reason | None = None


class Problem(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    reason: Annotated[Reason | None, Field(description="why the book or a risk rule refused")] = None
    errors: list[FaultAnswer] | None = None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these."""
    titles = {
        400: "The body is not a JSON object",
        401: "No valid API key",
        403: "Not an operator's API key",
        404: "Not found",
        409: "Another order has this client order id",
        413: "The body is too large",
        415: "The body must be JSON",
        422: "Faults of the request, a risk limit, or the book's refusal",
        429: "More orders a second than this API key, or all together, may send; nothing was done",
        503: "Not accepted; repeat with the same client order id",
        504: "The outcome is not known yet; repeat with the same client order id",
    }
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": titles[status], "content": {"application/problem+json": schema}} for status in statuses
    }
