"""A gateway in this process, with a real Postgres, a real Redis and a plain engine behind it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from target_system.gateway.app import build
from target_system.gateway.service import Gateway
from target_system.ledger.keys import create_keys
from target_system.settings import GatewaySettings
from tests.plain_engine import PlainEngine, plain_engine
from tests.servers import eventually, free_port
from tests.target_system.gateway.pipeline import Pipeline, open_pipeline

SYMBOLS = ("AAPL", "MSFT", "ZM")


@dataclass
class Desk:
    """What a test of the gateway holds: the gateway, its engine, and a client for each of two accounts."""

    gateway: Gateway
    engine: PlainEngine
    alice: httpx.AsyncClient
    bob: httpx.AsyncClient
    dsn: str
    log: io.BytesIO

    def order(self, **changes: object) -> dict[str, object]:
        given: dict[str, object] = {
            "client_order_id": "a-1", "symbol": "AAPL", "side": "buy", "type": "limit", "price_ticks": 100,
            "quantity_lots": 10,
        }  # fmt: skip
        return {name: value for name, value in (given | changes).items() if value is not None}


@contextlib.asynccontextmanager
async def open_desk(dsn: str, redis_url: str, **settings: object) -> AsyncIterator[Desk]:
    """With deadlines that a busy machine keeps; who wants one to pass sets it."""
    keys = create_keys(dsn, (1, 2))
    log = io.BytesIO()
    async with plain_engine(SYMBOLS) as (engine, target), contextlib.AsyncExitStack() as stack:
        given: dict[str, object] = {
            "name": "gateway-1", "port": free_port(), "ledger_dsns": (dsn,), "redis_url": redis_url,
            "engine_target": target, "symbols": SYMBOLS, "ledger_pool_size": 4, "price_ticks_max": 10_000,
            "engine_deadline_ms": 10_000, "redis_deadline_ms": 5_000, "read_deadline_ms": 10_000,
        }  # fmt: skip
        gateway = Gateway(GatewaySettings.model_validate(given | settings), log)
        app = build(gateway)
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app), base_url="http://gateway",
                    headers={"authorization": f"Bearer {keys[account]}"},
                )
            )
            for account in (1, 2)
        ]  # fmt: skip
        await eventually(lambda: not gateway.not_ready(), "the gateway is ready")
        yield Desk(gateway, engine, *clients, dsn, log)


@pytest.fixture
async def desk(ledger_dsn: str, redis_url: str) -> AsyncIterator[Desk]:
    async with open_desk(ledger_dsn, redis_url) as opened:
        yield opened


@pytest.fixture
def pipeline(ledger_dsn: str, redis_url: str, tmp_path: Path) -> Iterator[Pipeline]:
    with open_pipeline(ledger_dsn, redis_url, tmp_path) as opened:
        yield opened
