"""A ledger, a Redis and a plain engine with some trading done, and the tools to write and settle it."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from target_system.ledger import projection
from target_system.ledger.connections import Connections, SilentWatcher, for_each_shard
from target_system.ledger.projection import Projection
from target_system.ledger.rows import Entry, Symbols, entry_of
from target_system.ledger.settler import Settler
from target_system.ledger.write_path import PerOrder
from target_system.proto import engine_pb2 as pb
from target_system.settings import SettlerSettings
from target_system.telemetry import Telemetry
from tests.plain_engine import PlainBook, PlainEngine, plain_engine

NAMES = ("AAPL", "MSFT", "ZM")


def trade_at_random(book: PlainBook, count: int, seed: int = 1) -> None:
    """Orders that cross often, and cancels, of five accounts."""
    chance = random.Random(seed)
    for n in range(count):
        command = pb.Command(kind=pb.NEW, account=chance.randint(1, 5), client_order_id=f"o-{seed}-{n}")
        if n > 10 and chance.random() < 0.2:
            target = chance.randint(1, n)
            command.kind, command.order_id, command.client_order_id = pb.CANCEL, target, f"~c{target}"
        else:
            command.symbol, command.side = chance.randrange(3), chance.choice((pb.BUY, pb.SELL))
            command.order_type = chance.choice((pb.LIMIT, pb.LIMIT, pb.MARKET))
            command.price_ticks = 0 if command.order_type == pb.MARKET else chance.randint(95, 105)
            command.quantity_lots = chance.randint(1, 20)
        command.received_ns = 1_000_000_000 + n
        book.submit(command)


@dataclass
class Bench:
    engine: PlainEngine
    target: str
    dsns: tuple[str, ...]
    redis_url: str
    shards: Sequence[Connections]
    symbols: Symbols
    settler: Settler
    log: io.BytesIO

    def entries(self) -> list[Entry]:
        return [entry_of(result.command, result, self.symbols) for result in self.engine.book.results]

    @property
    def ledger(self) -> PerOrder:
        return PerOrder(self.shards, 2.0, lambda: None)

    @contextlib.asynccontextmanager
    async def projection(self) -> AsyncIterator[Projection]:
        async with projection.connect(self.redis_url, None, 1.0) as client:
            yield Projection(client, 1.0, 0.0, lambda _: None, lambda _: None)


@contextlib.asynccontextmanager
async def open_bench(dsns: tuple[str, ...], redis_url: str) -> AsyncIterator[Bench]:
    async with plain_engine(NAMES) as (engine, target):
        settings = SettlerSettings(
            port=1, ledger_dsns=dsns, redis_url=redis_url, engine_target=target, symbols=NAMES, grace_ms=1,
            compare_ms=1, batch=7,
        )  # fmt: skip
        log = io.BytesIO()
        telemetry = Telemetry("settler", "settler", log)
        settler = Settler(settings, telemetry)
        shards = for_each_shard(dsns, 2, SilentWatcher(), 2_000)
        for shard in shards:
            shard.start()
        try:
            async with settler:
                yield Bench(engine, target, dsns, redis_url, shards, Symbols(NAMES, len(dsns)), settler, log)
        finally:
            for shard in shards:
                await shard.close()
            telemetry.close()


@pytest.fixture
async def bench(ledger_dsn: str, redis_url: str) -> AsyncIterator[Bench]:
    async with open_bench((ledger_dsn,), redis_url) as opened:
        yield opened
