"""Commands as request bytes, answers as what a trader needs to know of them. Pure; built for speed, so by hand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import orjson

from loadgen.order_flow import Cancel, NewOrder, Replace

REFUSED_UNSEEN = 500
"""From this status on an answer is not about the order but about the server."""


class Endpoint(StrEnum):
    NEW = "POST /v1/orders"
    CANCEL = "DELETE /v1/orders/{id}"
    REPLACE = "PUT /v1/orders/{id}"
    STREAM = "GET /v1/stream"
    BOOK = "GET /v1/book/{symbol}"


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says of a command. `is_result`: it was sequenced, and this is the book's answer, yes or no."""

    is_result: bool
    order_id: int = 0
    sequence: int = 0
    resting_lots: int = 0
    fills: tuple[tuple[int, int], ...] = ()
    """The resting orders that it met: order id, lots."""


NOTHING = Told(is_result=False)


def client_order_id(prefix: str, user: int, number: int) -> str:
    """Unique over the run: the prefix names run and window, the number counts the user's commands."""
    return f"{prefix}-{user}-{number}"


class Requests:
    """The requests of one user: everything that stays the same is made once."""

    def __init__(self, host: str, api_key: str) -> None:
        common = f"host: {host}\r\nx-api-key: {api_key}\r\n"
        self._body = f" HTTP/1.1\r\n{common}content-type: application/json\r\ncontent-length: "
        self._new = f"POST /v1/orders{self._body}"
        self._cancel = f" HTTP/1.1\r\n{common}\r\n"

    def new_order(self, client_order_id: str, order: NewOrder) -> bytes:
        price = "" if order.price_ticks is None else f'"price_ticks":{order.price_ticks},'
        ioc = '"time_in_force":"ioc",' if order.is_ioc else ""
        body = (
            f'{{"client_order_id":"{client_order_id}","symbol":"{order.symbol}","side":"{order.side}",'
            f'"type":"{order.order_type}",{price}{ioc}"quantity_lots":{order.quantity_lots}}}'
        )
        return f"{self._new}{len(body)}\r\n\r\n{body}".encode()

    def replace(self, client_order_id: str, replace: Replace) -> bytes:
        terms = replace.terms
        body = (
            f'{{"client_order_id":"{client_order_id}","symbol":"{terms.symbol}","side":"{terms.side}",'
            f'"price_ticks":{terms.price_ticks},"quantity_lots":{terms.quantity_lots}}}'
        )
        return f"PUT /v1/orders/{replace.order_id}{self._body}{len(body)}\r\n\r\n{body}".encode()

    def cancel(self, cancel: Cancel) -> bytes:
        return f"DELETE /v1/orders/{cancel.order_id}{self._cancel}".encode()


def told(status: int, body: bytes) -> Told:
    """Reads an answer; one that is no JSON object, or names no sequence number, is no result."""
    if status >= REFUSED_UNSEEN:
        return NOTHING
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return NOTHING
    sequence = said.get("sequence") if isinstance(said, dict) else None
    if not isinstance(sequence, int):
        return NOTHING
    fills = tuple((fill["maker_order_id"], fill["quantity_lots"]) for fill in said.get("fills") or ())
    return Told(True, int(said.get("order_id") or 0), sequence, int(said.get("remaining_lots") or 0), fills)
