"""A market data process in this one, on a real engine, Redis and Postgres; and clients that keep books."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from target_system.ledger.keys import create_keys
from target_system.market_data.app import Protocol, build
from target_system.market_data.service import MarketData
from target_system.settings import MarketDataSettings
from tests.servers import eventually, free_port
from tests.target_system.engine.server import SYMBOLS, EngineServer


@dataclass
class Desk:
    service: MarketData
    url: str
    key: str
    log: io.BytesIO

    def connect(self, query: str = "", **options: Any) -> connect:
        return connect(self.url + query, additional_headers={"x-api-key": self.key}, **options)

    def metric(self, name: str, *labels: str) -> float:
        self.service.exposition()
        return float(self.service.telemetry.metrics.get(name, *labels)._value.get())


@contextlib.asynccontextmanager
async def open_desk(engine: EngineServer, dsn: str, redis_url: str, **settings: object) -> AsyncIterator[Desk]:
    key = create_keys(dsn, (1,))[1]
    port, log = free_port(), io.BytesIO()
    given: dict[str, object] = {
        "name": "market-data-1", "port": port, "ledger_dsns": (dsn,), "redis_url": redis_url, "symbols": SYMBOLS,
        "engine_target": f"127.0.0.1:{engine.events[-1]['port']}", "heartbeat_ms": 50,
    }  # fmt: skip
    service = MarketData(MarketDataSettings.model_validate(given | settings), log)
    config = uvicorn.Config(build(service), port=port, ws=Protocol, ws_per_message_deflate=False, log_level="warning")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: not service.not_ready(), "market data is ready")
    try:
        yield Desk(service, f"ws://127.0.0.1:{port}/v1/stream", key, log)
    finally:
        server.should_exit = True
        await serving


@dataclass
class Watcher:
    """A client that follows the protocol: every update must join what it has."""

    socket: ClientConnection
    books: dict[str, dict[str, Any]] = field(default_factory=dict)
    trades: list[dict[str, Any]] = field(default_factory=list)
    snapshots: int = 0
    sequence: int = 0
    engine_connected: bool = True

    async def run(self) -> None:
        async for text in self.socket:
            self.take(json.loads(text))

    def take(self, message: dict[str, Any]) -> None:
        if message["type"] == "heartbeat":
            self.sequence, self.engine_connected = message["sequence"], message["engine_connected"]
        elif message["type"] == "snapshot":
            self.snapshots += 1
            sides = {side: dict(map(tuple, message[side])) for side in ("bids", "asks")}
            self.books[message["symbol"]] = {"sequence": message["sequence"], "halted": message["halted"], **sides}
        else:
            book = self.books[message["symbol"]]
            assert message["previous_sequence"] == book["sequence"]
            book |= {"sequence": message["sequence"], "halted": message["halted"]}
            for side in ("bids", "asks"):
                book[side] |= dict(map(tuple, message[side]))
                book[side] = {price: lots for price, lots in book[side].items() if lots}
            self.trades += message["trades"]


@contextlib.asynccontextmanager
async def watching(desk: Desk, query: str = "") -> AsyncIterator[Watcher]:
    async with desk.connect(query) as socket:
        watcher = Watcher(socket)
        running = asyncio.create_task(watcher.run())
        try:
            yield watcher
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
