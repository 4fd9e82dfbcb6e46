"""The edge: `/v1/stream` as a WebSocket, and the operations' endpoints.

A refusal is an HTTP answer, a problem document as the gateway's are. What the client sends is read and ignored, so that
its leaving is seen. One that is dropped gets close code 1013 behind what is already on its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from fastapi import FastAPI, Response, WebSocket
from fastapi.websockets import WebSocketDisconnect
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from target_system.ledger.access import key_in
from target_system.ledger.connections import LedgerAway
from target_system.market_data.clients import Client
from target_system.market_data.service import MarketData

TRY_AGAIN_LATER = 1013


class Protocol(WebSocketsSansIOProtocol):
    """Cuts the connection of a client that answers no ping: a close would wait for it to read what was sent before."""

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()


def build(service: MarketData) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = FastAPI(title="Market data", version="1", lifespan=lifespan, openapi_url=None)
    stream = Stream(service)

    @app.websocket("/v1/stream")
    async def endpoint(socket: WebSocket) -> None:
        await stream.serve(socket)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive", "name": service.settings.name}

    @app.get("/readyz")
    async def readyz() -> Response:
        reasons = service.not_ready()
        return problem(503, "not-ready", "; ".join(reasons)) if reasons else Response(b'{"status":"ready"}')

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(service.exposition(), headers={"content-type": service.telemetry.metrics.content_type})

    return app


def problem(status: int, kind: str, detail: str) -> Response:
    document = {"type": f"/problems/{kind}", "title": kind.replace("-", " ").capitalize(), "status": status}
    return Response(orjson.dumps(document | {"detail": detail}), status, media_type="application/problem+json")


class Stream:
    """Lets clients in, and sends each what waits for it."""

    def __init__(self, service: MarketData) -> None:
        self._service, self._get = service, service.telemetry.metrics.get

    async def serve(self, socket: WebSocket) -> None:
        entered = await self._enter(socket)
        if isinstance(entered, Response):
            await socket.send_denial_response(entered)
            return
        account, symbols = entered
        await socket.accept()
        client = self._service.join(account, symbols)
        try:
            await self._send_until_over(socket, client)
        finally:
            self._service.clients.remove(client)
        if client.dropped.is_set():
            self._get("market_data_dropped_clients_total").inc()
            self._service.telemetry.log.warning(
                "client_dropped", account=client.account, waiting_bytes=client.waiting_bytes
            )
            reason = f"too slow: {client.waiting_bytes} bytes waited; connect again for new snapshots"
            await socket.close(TRY_AGAIN_LATER, reason)

    async def _enter(self, socket: WebSocket) -> tuple[int, frozenset[int]] | Response:
        """The account and its symbols, or why not."""
        try:
            account = await self._service.access.account_of(key_in(socket.headers.raw))
        except LedgerAway as error:
            return self._refused(503, "ledger-away", f"the API key could not be looked up: {error}")
        if account is None:
            return self._refused(401, "unauthenticated", "send an API key as authorization: Bearer or x-api-key")
        wanted = [name for name in socket.query_params.get("symbols", "").split(",") if name]
        unknown = [name for name in wanted if name not in self._service.indices]
        if unknown:
            known = ", ".join(self._service.indices)
            return self._refused(422, "unknown-symbol", f"{', '.join(unknown)} is not traded here; use some of {known}")
        if len(self._service.clients.all) >= self._service.settings.clients_max:
            return self._refused(503, "overloaded", "too many clients; try another time")
        return account, frozenset(self._service.indices[name] for name in wanted or self._service.indices)

    def _refused(self, status: int, kind: str, detail: str) -> Response:
        self._get("market_data_refused_clients_total", kind).inc()
        return problem(status, kind, detail)

    async def _send_until_over(self, socket: WebSocket, client: Client) -> None:
        """Until the client leaves, is dropped, or the process stops."""
        work = [asyncio.create_task(part) for part in (self._send(socket, client), read(socket), client.dropped.wait())]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _send(self, socket: WebSocket, client: Client) -> None:
        sent = self._get("market_data_messages_sent_total")
        while True:
            await socket.send_text(await client.next())
            sent.inc()


async def read(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_text()
    except (WebSocketDisconnect, KeyError):  # KeyError: it sent bytes
        return
