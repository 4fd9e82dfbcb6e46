"""The frame of a process that works beside the order path: /metrics and /healthz, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from contextlib import suppress
from typing import Any

import uvicorn

from target_system.telemetry import Telemetry

CANCEL_EVERY_S = 0.5

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def operations(telemetry: Telemetry) -> Callable[..., Awaitable[None]]:
    """/metrics and /healthz, as an ASGI application."""

    async def answer(scope: MutableMapping[str, Any], _receive: object, send: Send) -> None:
        known = {
            "/metrics": (telemetry.metrics.content_type, telemetry.metrics.exposition),
            "/healthz": ("application/json", lambda: b'{"status":"alive"}'),
        }
        kind, body = known.get(scope["path"], ("text/plain", lambda: b"not found\n"))
        status = 200 if scope["path"] in known else 404
        headers = [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body()})

    return answer


async def serve(telemetry: Telemetry, host: str, port: int, work: Coroutine[Any, Any, None]) -> None:
    """Runs `work` until a signal comes, or it ends by itself; then closes the telemetry."""
    config = uvicorn.Config(
        operations(telemetry), host=host, port=port, lifespan="off", access_log=False, log_level="warning",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)

    def leave(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)  # uvicorn puts its own in front, and raises the signal again when it has stopped
    working = asyncio.create_task(work)
    working.add_done_callback(leave)
    telemetry.log.info("started", host=host, port=port)
    try:
        await server.serve()
    finally:
        telemetry.log.info("stopped")
        while not working.done():
            working.cancel()  # again: a call that ends in the same moment swallows it (asyncio.wait_for of Python 3.11)
            await asyncio.wait((working,), timeout=CANCEL_EVERY_S)
        with suppress(asyncio.CancelledError):
            await working
        telemetry.close()
