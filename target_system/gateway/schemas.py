"""What the API's documents look like, for its OpenAPI description. The hot path does not parse with these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


def order_schema(
    symbols: Sequence[str], price_ticks_min: int, price_ticks_max: int, quantity_lots_max: int
) -> dict[str, Any]:
    """JSON schema of an order's body; what it cannot say is that `account` must be the account of the API key."""
    common = {
        "client_order_id": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,36}$"},
        "account": {"type": "integer", "description": "of the API key; may be left out"},
        "symbol": {"enum": list(symbols)},
        "side": {"enum": ["buy", "sell"]},
        "quantity_lots": {"type": "integer", "minimum": 1, "maximum": quantity_lots_max},
    }
    price = {"type": "integer", "minimum": price_ticks_min, "maximum": price_ticks_max}
    needed = ["client_order_id", "symbol", "side", "quantity_lots", "type"]
    return {
        "oneOf": [
            {
                "title": "limit order", "type": "object", "additionalProperties": False,
                "properties": common | {"type": {"const": "limit"}, "price_ticks": price},
                "required": [*needed, "price_ticks"],
            },
            {
                "title": "market order", "type": "object", "additionalProperties": False,
                "properties": common | {"type": {"const": "market"}}, "required": needed,
            },
        ]
    }  # fmt: skip


class FillAnswer(BaseModel):
    trade_id: int
    maker_order_id: int
    price_ticks: int
    quantity_lots: int


class OrderAnswer(BaseModel):
    order_id: int
    sequence: int
    client_order_id: str
    outcome: Literal["resting", "filled", "cancelled"]
    reason: str | None = None
    filled_lots: int
    remaining_lots: int
    cancelled_lots: int
    fills: list[FillAnswer]


class CancelAnswer(BaseModel):
    order_id: int
    sequence: int
    outcome: Literal["cancelled"]
    filled_lots: int
    remaining_lots: int
    cancelled_lots: int


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


class Problem(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    errors: list[FaultAnswer] | None = None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these."""
    titles = {
        400: "The body is not a JSON object",
        401: "No valid API key",
        404: "Not found",
        409: "Another order has this client order id",
        413: "The body is too large",
        415: "The body must be JSON",
        422: "Faults of the request, a risk limit, or the book's refusal",
        429: "More orders a second than this API key, or all together, may send; nothing was done",
        503: "Not accepted; nothing was done",
        504: "The outcome is not known yet; repeat with the same client order id",
    }
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": titles[status], "content": {"application/problem+json": schema}} for status in statuses
    }
