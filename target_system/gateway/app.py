"""The HTTP edge: FastAPI with every endpoint and its description, and a short way past it for the hot ones.

A request through FastAPI's middleware, router and dependencies costs about as much as everything that the gateway
does for an order. So POST, PUT and DELETE of orders are taken out in front (`OrderLane`), read from the raw ASGI
messages, and answered by the same functions that FastAPI's routes call.
"""

from __future__ import annotations

import dataclasses
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from target_system.gateway import replies
from target_system.gateway.command_routes import ORDERS, OrderNumber, add_commands, response_of
from target_system.gateway.orders_edge import CANCEL, PLACE, REPLACE
from target_system.gateway.replies import Fault, Header, Reply
from target_system.gateway.schemas import (
    BookAnswer,
    CandlesAnswer,
    OrderState,
    PortfolioAnswer,
    Problem,
    TradesAnswer,
    problems,
)
from target_system.gateway.service import Gateway
from target_system.ledger.access import key_in
from target_system.ledger.connections import LedgerAway

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

READ_ORDER = "GET /v1/orders/{id}"
READ_BOOK = "GET /v1/book/{symbol}"
READ_PORTFOLIO = "GET /v1/portfolio"
READ_TRADES = "GET /v1/history/{symbol}/trades"
READ_CANDLES = "GET /v1/history/{symbol}/candles"
LAST = 2**63 - 1
FORESEEN = ("unavailable", "unknown")
"""Errors that are counted from 0 on: of a series that begins with its first error Prometheus does not see that one."""
Before = Annotated[int, Query(ge=1, le=LAST)]
Limit = Annotated[int, Query(ge=1, le=1_000)]


class Edge:
    """Runs a handler, sends its reply, counts it, and lets no error out."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._get = gateway, gateway.telemetry.metrics.get
        for endpoint in (PLACE, CANCEL):
            for outcome in FORESEEN:
                self._get("gateway_request_seconds", endpoint, outcome)

    async def answer(self, endpoint: str, began: int, reply: Awaitable[Reply]) -> Reply:
        try:
            said = await reply
        except Exception as error:  # noqa: BLE001 - the last line before the client; the cause goes to the log
            self._gateway.telemetry.log.error(
                "failed", endpoint=endpoint, error=repr(error), traceback=traceback.format_exc()
            )
            said = replies.internal_error()
        self._get("gateway_request_seconds", endpoint, said.outcome).observe((time.monotonic_ns() - began) * 1e-9)
        return said


class OrderLane:
    """The ASGI application: orders are handled here, all else by FastAPI."""

    def __init__(self, gateway: Gateway, rest: FastAPI) -> None:
        self._orders, self._rest, self._edge = gateway.orders, rest, Edge(gateway)
        self._body_bytes_max = gateway.settings.body_bytes_max
        self._send_reply = gateway.crash.after_call("answered", send_reply)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            began = time.monotonic_ns()
            method, path = scope["method"], scope["path"]
            if method == "POST" and path == ORDERS:
                reply = await self._edge.answer(PLACE, began, self._place(scope["headers"], receive, began))
                return await self._send_reply(reply, send)
            if method in ("DELETE", "PUT") and path.startswith(ORDERS + "/"):
                order_id = order_id_in(path[len(ORDERS) + 1 :])
                if order_id is not None and method == "DELETE":
                    cancel = self._orders.cancel(scope["headers"], order_id, began)
                    return await self._send_reply(await self._edge.answer(CANCEL, began, cancel), send)
                if order_id is not None:
                    replace = self._replace(scope["headers"], order_id, receive, began)
                    return await self._send_reply(await self._edge.answer(REPLACE, began, replace), send)
        await self._rest(scope, receive, send)
        return None

    async def _place(self, headers: list[Header], receive: Receive, began: int) -> Reply:
        body = await read_body(receive, self._body_bytes_max)
        if body is None:
            return replies.too_large(self._body_bytes_max)
        return await self._orders.place(headers, body, began)

    async def _replace(self, headers: list[Header], order_id: int, receive: Receive, began: int) -> Reply:
        body = await read_body(receive, self._body_bytes_max)
        if body is None:
            return replies.too_large(self._body_bytes_max)
        return await self._orders.replace(headers, order_id, body, began)


def order_id_in(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 19 and text[0] != "0" else None


async def read_body(receive: Receive, limit_bytes: int) -> bytes | None:
    """The whole body, or None if it is longer than the limit."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body") and len(body) <= limit_bytes:
        message = await receive()
        body += message.get("body", b"")
    return body if len(body) <= limit_bytes else None


async def send_reply(reply: Reply, send: Send) -> None:
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def build(gateway: Gateway) -> OrderLane:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await gateway.start()
        try:
            yield
        finally:
            await gateway.stop()

    app = FastAPI(title="Order gateway", version="1", lifespan=lifespan)
    describe_problems(app)
    add_commands(app, gateway, Edge(gateway).answer)
    add_reads(app, gateway)
    add_history(app, gateway)
    add_operations(app, gateway)
    return OrderLane(gateway, app)


def describe_problems(app: FastAPI) -> None:
    """Errors of FastAPI's own become problem documents too, and their schema a part of the description."""

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        title = HTTPStatus(error.status_code).phrase
        said = replies.problem(error.status_code, "http", title, str(error.detail), told="invalid")
        return response_of(dataclasses.replace(said, headers=(*said.headers, *raw_headers(error))))

    @app.exception_handler(RequestValidationError)
    async def validation_error(_: Request, error: RequestValidationError) -> Response:
        faults = [Fault("/" + "/".join(str(part) for part in e["loc"]), e["msg"]) for e in error.errors()]
        return response_of(replies.invalid("invalid-request", "The request has faults", faults))

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> Response:
        return response_of(replies.internal_error())

    generate = app.openapi

    def openapi() -> dict[str, Any]:
        described = generate()
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        described["components"]["schemas"].update(schema.pop("$defs", {}), Problem=schema)
        return described

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend it


def raw_headers(error: HTTPException) -> list[Header]:
    return [(name.encode(), value.encode()) for name, value in (error.headers or {}).items()]


def for_accounts(gateway: Gateway) -> Callable[[str, Request, Callable[[int], Awaitable[Reply]]], Awaitable[Response]]:
    """Answers an endpoint's request by `read(account)`, if it brings a key."""
    edge = Edge(gateway)

    async def as_account(request: Request, read: Callable[[int], Awaitable[Reply]]) -> Reply:
        try:
            account = await gateway.access.account_of(key_in(request.headers.raw))
        except LedgerAway as error:
            return replies.unavailable("ledger-away", f"the API key could not be looked up: {error}")
        return replies.unauthenticated() if account is None else await read(account)

    async def watched(endpoint: str, request: Request, read: Callable[[int], Awaitable[Reply]]) -> Response:
        return response_of(await edge.answer(endpoint, time.monotonic_ns(), as_account(request, read)))

    return watched


def add_reads(app: FastAPI, gateway: Gateway) -> None:
    watched, reads = for_accounts(gateway), gateway.reads

    @app.get(ORDERS + "/{order_id}", response_model=OrderState, responses=problems(401, 404, 422, 503))
    async def order(order_id: OrderNumber, request: Request) -> Response:
        """One of the account's own orders, from the ledger."""
        return await watched(READ_ORDER, request, lambda account: reads.order(account, order_id))

    @app.get("/v1/book/{symbol}", response_model=BookAnswer, responses=problems(401, 404, 422, 503))
    async def book(symbol: str, request: Request) -> Response:
        """The last book, some 100 ms old at most while the settler runs."""
        return await watched(READ_BOOK, request, lambda _: reads.book(symbol))

    @app.get("/v1/portfolio", response_model=PortfolioAnswer, responses=problems(401, 503))
    async def portfolio(request: Request) -> Response:
        """The account's positions, from Redis; from the ledger while Redis is away."""
        return await watched(READ_PORTFOLIO, request, reads.portfolio)


def add_history(app: FastAPI, gateway: Gateway) -> None:
    watched, reads = for_accounts(gateway), gateway.history

    @app.get("/v1/history/{symbol}/trades", response_model=TradesAnswer, responses=problems(401, 404, 422, 503))
    async def trades(symbol: str, request: Request, before: Before = LAST, limit: Limit = 100) -> Response:
        """Trades of a symbol, newest first; the next page is `before` the last trade id of this one."""
        return await watched(READ_TRADES, request, lambda _: reads.trades(symbol, before, limit))

    @app.get("/v1/history/{symbol}/candles", response_model=CandlesAnswer, responses=problems(401, 404, 422, 503))
    async def candles(
        symbol: str, request: Request, width: Literal["1s", "1m"] = "1m", before: Before = LAST, limit: Limit = 100
    ) -> Response:
        """Candles of a symbol, newest first; the next page is `before` the last start of this one."""
        return await watched(READ_CANDLES, request, lambda _: reads.candles(symbol, width, before, limit))


def add_operations(app: FastAPI, gateway: Gateway) -> None:
    @app.get("/healthz", summary="Whether the process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "alive", "name": gateway.settings.name}

    @app.get("/readyz", summary="Whether it should get orders", responses=problems(503))
    async def readyz() -> Response:
        reasons = gateway.not_ready()
        if reasons:
            return response_of(replies.unavailable("not-ready", "; ".join(reasons)))
        return Response(b'{"status":"ready"}', media_type="application/json")

    @app.get("/metrics", summary="OpenMetrics", response_class=Response)
    async def metrics() -> Response:
        return Response(gateway.exposition(), headers={"content-type": gateway.telemetry.metrics.content_type})
