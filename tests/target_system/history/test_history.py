"""The history ends up with every trade of the ledger exactly once, whatever dies between."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
from redis.exceptions import ResponseError

from target_system.history import reconcile
from target_system.ledger.connections import Connections, SilentWatcher, for_each_shard
from target_system.ledger.rows import Symbols, entry_of
from target_system.ledger.write_path import PerOrder
from target_system.proto import engine_pb2 as pb
from target_system.trade_stream import FIELD, STREAM, Trade, encode
from tests.servers import Postgres, Redis, eventually, free_port, stop
from tests.target_system.engine.server import SYMBOLS, EngineServer
from tests.target_system.engine.test_market_data import trade_at_random

ROOT = Path(__file__).parents[3]
DEADLINE_S = 20.0


def trades_of(result: pb.Result) -> list[Trade]:
    command = result.command
    return [
        Trade(fill.trade_id, result.sequence, SYMBOLS[command.symbol], fill.price_ticks, fill.quantity_lots,
              command.side, command.received_ns)
        for fill in result.fills
    ]  # fmt: skip


@dataclass
class Bench:
    """A history as a process; what the market data and the gateways would bring it."""

    engine: EngineServer
    dsns: tuple[str, ...]
    redis: Redis
    shards: tuple[Connections, ...]
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    traded: int = 0

    def start(self) -> None:
        environment = {
            "HISTORY_PORT": str(self.port), "HISTORY_LEDGER_DSNS": json.dumps(self.dsns), "HISTORY_ENTRIES": "3",
            "HISTORY_REDIS_URL": self.redis.url, "HISTORY_RECLAIM_MS": "200", "HISTORY_AUDIT_MS": "300",
        }  # fmt: skip
        with (self.folder / "history.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "target_system.history"], stdout=log, stderr=log, cwd=ROOT,
                env=os.environ | environment,
            )  # fmt: skip

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        assert self.process is not None
        stop(self.process, how)

    def metric(self, name: str) -> float | None:
        with contextlib.suppress(httpx.TransportError):
            page = httpx.get(f"http://127.0.0.1:{self.port}/metrics").text
            found = re.findall(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
            return float(found[0]) if found else None
        return None

    async def trade(self, seed: int, count: int, to_stream: bool = True, to_ledger: bool = True) -> list[pb.Result]:
        first = self.engine.status().last_sequence + 1
        await asyncio.to_thread(trade_at_random, self.engine, seed, first, count)
        results = await asyncio.to_thread(self.engine.results, first, first + count - 1)
        self.traded += sum(len(result.fills) for result in results)
        if to_stream:
            self.publish(results)
        if to_ledger:
            await self.record(results)
        return results

    def publish(self, results: list[pb.Result]) -> None:
        trades = [trade for result in results for trade in trades_of(result)]
        with self.redis.client() as client:
            for start in range(0, len(trades), 4):
                client.xadd(STREAM, {FIELD: encode(trades[start : start + 4])})

    async def record(self, results: list[pb.Result]) -> None:
        ledger = PerOrder(self.shards, 2.0, lambda: None)
        symbols = Symbols(SYMBOLS, len(self.dsns))
        for result in results:
            await ledger.record(entry_of(result.command, result, symbols))

    async def assert_complete(self) -> None:
        assert self.traded > 20
        wrong = await asyncio.to_thread(reconcile.differences, self.dsns, DEADLINE_S)
        assert wrong == []
        with psycopg.connect(self.dsns[0]) as connection:
            assert connection.execute("SELECT count(*) FROM history.trades").fetchone() == (self.traded,)
        await eventually(lambda: self.metric("history_complete_trade_id") == self.traded, "it says so")
        await eventually(lambda: self.metric("history_lag_entries") == 0, "nothing is left of the stream")


@contextlib.asynccontextmanager
async def open_bench(engine: EngineServer, dsns: tuple[str, ...], redis: Redis, folder: Path) -> AsyncIterator[Bench]:
    shards = for_each_shard(dsns, 1, SilentWatcher(), 2_000)
    for shard in shards:
        shard.start()
    bench = Bench(engine, dsns, redis, shards, folder)
    try:
        bench.start()
        yield bench
    finally:
        bench.kill()
        for shard in shards:
            await shard.close()


@pytest.fixture
async def bench(
    engine: EngineServer, ledger_dsn: str, redis_url: str, shared_redis: Redis, tmp_path: Path
) -> AsyncIterator[Bench]:
    async with open_bench(engine, (ledger_dsn,), shared_redis, tmp_path) as opened:
        yield opened


async def test_what_the_stream_brings_is_written_once_with_its_candles(bench: Bench) -> None:
    results = await bench.trade(1, 300, to_ledger=False)
    written = 'history_trades_total{source="stream"}'
    await eventually(lambda: bench.metric(written) == bench.traded, "all of it is written")
    bench.publish(results)
    await bench.record(results)
    await bench.assert_complete()
    assert bench.metric(written) == bench.traded


async def test_killed_in_the_middle_it_takes_over_what_it_had_not_acknowledged(bench: Bench) -> None:
    with psycopg.connect(bench.dsns[0]) as blocker:
        blocker.execute("LOCK TABLE history.trades IN EXCLUSIVE MODE")
        await bench.trade(1, 300)
        await eventually(lambda: pending(bench.redis) > 0, "entries are taken and not written")
        bench.kill()
    assert pending(bench.redis) > 0
    bench.start()
    await bench.assert_complete()
    reclaimed = bench.metric("history_reclaimed_entries_total")
    assert reclaimed is not None
    assert reclaimed > 0


def pending(redis: Redis) -> int:
    with redis.client() as client, contextlib.suppress(ResponseError):  # it has made no group yet
        return int(client.xpending(STREAM, "history")["pending"])
    return 0


async def test_a_frozen_history_catches_up_by_itself(bench: Bench) -> None:
    assert bench.process is not None
    await bench.trade(1, 100)
    bench.process.send_signal(signal.SIGSTOP)
    await bench.trade(2, 200)
    bench.process.send_signal(signal.SIGCONT)
    await bench.assert_complete()


async def test_with_the_stream_lost_the_ledger_completes_it(bench: Bench) -> None:
    await bench.trade(1, 100)
    bench.kill()
    await bench.trade(2, 200)
    bench.redis.kill()
    bench.redis.start()
    bench.start()
    await bench.trade(3, 100)
    await bench.assert_complete()


async def test_without_market_data_everything_comes_from_the_ledger_of_every_shard(
    engine: EngineServer, postgres: Postgres, redis_url: str, shared_redis: Redis, tmp_path: Path
) -> None:
    dsns = (postgres.new_ledger(), postgres.new_ledger())
    async with open_bench(engine, dsns, shared_redis, tmp_path) as bench:
        await bench.trade(1, 300, to_stream=False)
        await bench.assert_complete()
        assert bench.metric('history_trades_total{source="stream"}') in (None, 0)


async def test_a_trade_that_reaches_the_ledger_late_closes_its_gap(bench: Bench) -> None:
    results = await bench.trade(1, 300, to_stream=False, to_ledger=False)
    late = next(result for result in results[50:] if result.fills)
    rest = [result for result in results if result is not late]
    bench.publish(rest)
    await bench.record(rest)
    before = late.fills[0].trade_id - 1
    await eventually(lambda: bench.metric("history_complete_trade_id") == before, "it knows its gap")
    await bench.record([late])
    await bench.assert_complete()
