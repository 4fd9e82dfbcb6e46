"""Where each command of clients and operators is found, and how it is described. What they do is in `orders_edge`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi import Path as PathParameter

from target_system.gateway import commands, orders_edge, sessions_edge
from target_system.gateway.replies import Reply
from target_system.gateway.schemas import (
    LEASE,
    OPERATION,
    Bodies,
    CancelAnswer,
    MassCancelAnswer,
    OperationAnswer,
    OrderAnswer,
    SessionAnswer,
    problems,
)
from target_system.gateway.service import Gateway

ORDERS = "/v1/orders"
OrderNumber = Annotated[int, PathParameter(ge=1, le=2**63 - 1)]
Account = Annotated[int, PathParameter(ge=0, le=2**31 - 1)]

Answer = Callable[[str, int, Awaitable[Reply]], Awaitable[Reply]]
"""Endpoint, when it began, the work: gives its reply, counted."""
WITH_BODY = (400, 401, 409, 413, 415, 422, 429, 503, 504)


def response_of(reply: Reply) -> Response:
    headers = {name.decode(): value.decode() for name, value in reply.headers}
    return Response(reply.body, reply.status, headers)


def add_commands(app: FastAPI, gateway: Gateway, answer: Answer) -> None:
    told = gateway.settings
    bodies = Bodies(told.symbols, told.price_ticks_min, told.price_ticks_max, told.risk.quantity_lots_max)
    add_orders(app, gateway, answer, bodies)
    add_mass_cancel(app, gateway, answer, bodies)
    add_session(app, gateway, answer)
    add_halts(app, gateway, answer)
    add_kill_switch(app, gateway, answer)


def described(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": schema}}, "required": True}}


def add_orders(app: FastAPI, gateway: Gateway, answer: Answer, bodies: Bodies) -> None:
    orders = gateway.orders

    @app.post(
        ORDERS, status_code=201, response_model=OrderAnswer, openapi_extra=described(bodies.order()),
        responses=problems(*WITH_BODY), summary="Place an order",
    )  # fmt: skip
    async def place(request: Request) -> Response:
        """A repeated client order id returns the first answer, with `Idempotent-Replayed: true`."""
        began = time.monotonic_ns()
        handled = orders.place(request.headers.raw, await request.body(), began)
        return response_of(await answer(orders_edge.PLACE, began, handled))

    @app.put(
        ORDERS + "/{order_id}", response_model=OrderAnswer, openapi_extra=described(bodies.replacement()),
        responses=problems(*WITH_BODY, 404), summary="Replace an order",
    )  # fmt: skip
    async def replace(order_id: OrderNumber, request: Request) -> Response:
        """The order keeps its id. Less at the same price keeps its place in the queue; more, or another price, loses
        it. `quantity_lots` is the new open quantity; side and symbol must be the order's own; the client order id is
        the replacement's, a new one."""
        began = time.monotonic_ns()
        handled = orders.replace(request.headers.raw, order_id, await request.body(), began)
        return response_of(await answer(orders_edge.REPLACE, began, handled))

    @app.delete(
        ORDERS + "/{order_id}", response_model=CancelAnswer, responses=problems(401, 404, 422, 429, 503, 504),
        summary="Cancel an order",
    )  # fmt: skip
    async def cancel(order_id: OrderNumber, request: Request) -> Response:
        began = time.monotonic_ns()
        handled = orders.cancel(request.headers.raw, order_id, began)
        return response_of(await answer(orders_edge.CANCEL, began, handled))


def add_mass_cancel(app: FastAPI, gateway: Gateway, answer: Answer, bodies: Bodies) -> None:
    @app.post(
        "/v1/mass-cancels", response_model=MassCancelAnswer, openapi_extra=described(bodies.mass_cancel()),
        responses=problems(*WITH_BODY), summary="Cancel all the account's orders",
    )  # fmt: skip
    async def mass_cancel(request: Request) -> Response:
        """In one symbol, or in all where none is named."""
        began = time.monotonic_ns()
        handled = gateway.orders.mass_cancel(request.headers.raw, await request.body(), began)
        return response_of(await answer(orders_edge.MASS_CANCEL, began, handled))


def add_session(app: FastAPI, gateway: Gateway, answer: Answer) -> None:
    sessions = gateway.sessions

    @app.put(
        "/v1/session", response_model=SessionAnswer, openapi_extra=described(LEASE),
        responses=problems(400, 401, 409, 413, 415, 422, 429, 503), summary="Begin or renew cancel on disconnect",
    )  # fmt: skip
    async def renew(request: Request) -> Response:
        """Say so again before `lease_ms` is over, through any gateway. When the lease runs out, all the account's open
        orders are cancelled within a second, whatever became of client and gateways."""
        began = time.monotonic_ns()
        handled = sessions.renew(request.headers.raw, await request.body())
        return response_of(await answer(sessions_edge.RENEW, began, handled))

    @app.delete(
        "/v1/session", response_model=MassCancelAnswer, responses=problems(401, 404, 429, 503, 504),
        summary="End the session and cancel the account's orders",
    )  # fmt: skip
    async def end(request: Request) -> Response:
        began = time.monotonic_ns()
        return response_of(await answer(orders_edge.END_SESSION, began, sessions.end(request.headers.raw, began)))


def add_halts(app: FastAPI, gateway: Gateway, answer: Answer) -> None:
    symbols = gateway.symbols
    told: dict[str, Any] = {
        "response_model": OperationAnswer, "openapi_extra": described(OPERATION),
        "responses": problems(*WITH_BODY, 403, 404),
    }  # fmt: skip

    async def operate(endpoint: str, symbol: str, request: Request, composed: Any) -> Response:
        began = time.monotonic_ns()
        handled = gateway.orders.operate(
            endpoint, request.headers.raw, await request.body(), began, symbol,
            lambda operator, name: composed(operator, symbol, name, symbols),
        )  # fmt: skip
        return response_of(await answer(endpoint, began, handled))

    @app.post("/v1/symbols/{symbol}/halt", summary="Halt a symbol (operators)", **told)
    async def halt(symbol: str, request: Request) -> Response:
        """New orders and replacements in it are refused (`symbol_halted`); cancels go on."""
        return await operate(orders_edge.HALT, symbol, request, commands.halt)

    @app.post("/v1/symbols/{symbol}/resume", summary="Resume a symbol (operators)", **told)
    async def resume(symbol: str, request: Request) -> Response:
        return await operate(orders_edge.RESUME, symbol, request, commands.resume)


def add_kill_switch(app: FastAPI, gateway: Gateway, answer: Answer) -> None:
    described_as: dict[str, Any] = {
        "openapi_extra": described(OPERATION), "responses": problems(*WITH_BODY, 403),
    }  # fmt: skip

    async def operate(endpoint: str, account: int, request: Request, composed: Any) -> Response:
        began = time.monotonic_ns()
        handled = gateway.orders.operate(
            endpoint, request.headers.raw, await request.body(), began, None,
            lambda _, name: composed(account, name),
        )  # fmt: skip
        return response_of(await answer(endpoint, began, handled))

    @app.post(
        "/v1/accounts/{account}/kill", response_model=MassCancelAnswer, summary="Kill an account (operators)",
        **described_as,
    )  # fmt: skip
    async def kill(account: Account, request: Request) -> Response:
        """Cancels all its orders and refuses new ones (`account_killed`) until the switch is lifted."""
        return await operate(orders_edge.KILL, account, request, commands.kill)

    @app.post(
        "/v1/accounts/{account}/lift", response_model=OperationAnswer, summary="Lift a kill (operators)",
        **described_as,
    )  # fmt: skip
    async def lift(account: Account, request: Request) -> Response:
        return await operate(orders_edge.LIFT, account, request, commands.lift)
