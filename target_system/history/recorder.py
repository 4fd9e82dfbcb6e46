"""The history's duties: write what the stream brings, find in the ledger what it did not bring, say how far it is.

Trade ids have no gaps, so the history sees for itself what it lacks. The stream is only the quick way; with an empty
Redis, or without market data, everything comes from the ledger, a little later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from target_system.history import store
from target_system.history.consumer import Consumer
from target_system.ledger import projection
from target_system.ledger.connections import LedgerAway, SilentWatcher, for_each_shard
from target_system.settings import HistorySettings, password_of
from target_system.telemetry import Telemetry
from target_system.trade_stream import Trade

PAUSE_S = 0.2
MEASURE_S = 0.5
LEDGER, REDIS = "ledger", "redis"


class Recorder:
    def __init__(self, settings: HistorySettings, telemetry: Telemetry) -> None:
        self._settings, self._telemetry = settings, telemetry
        self._get = telemetry.metrics.get
        self._deadline_s = settings.call_deadline_ms / 1000
        self._shards = for_each_shard(settings.ledger_dsns, 1, SilentWatcher(), settings.call_deadline_ms)
        (self._store,) = for_each_shard(settings.ledger_dsns[:1], 2, SilentWatcher(), settings.call_deadline_ms)
        self._redis = projection.connect(
            settings.redis_url, password_of(settings.redis_password_file), self._deadline_s
        )
        self._consumer = Consumer(
            self._redis, settings.name, settings.entries, settings.reclaim_ms, self._from_stream, telemetry
        )
        self._is_up: dict[str, bool] = {}
        self._streamed = 0
        self.complete = store.Mark()
        """Every trade up to here is written."""

    async def run(self) -> None:
        """Until cancelled."""
        everything = (self._store, *self._shards)
        for connections in everything:
            connections.start()
        try:
            async with asyncio.TaskGroup() as duties:
                duties.create_task(self._repeat(self._consumer.round, REDIS, 0.0))
                duties.create_task(self._repeat(self._consumer.measure, REDIS, MEASURE_S))
                duties.create_task(self._repeat(self.audit, LEDGER, self._settings.audit_ms / 1000))
        finally:
            for connections in everything:
                await connections.close()
            with suppress(*projection.LOST):
                await self._redis.aclose()

    async def _repeat(self, duty: Callable[[], Awaitable[None]], server: str, every_s: float) -> None:
        while True:
            try:
                await duty()
                self._mark(server, None)
            except LedgerAway as error:
                self._mark(LEDGER, str(error))
                await asyncio.sleep(PAUSE_S)
            except projection.LOST as error:
                self._mark(REDIS, repr(error))
                await asyncio.sleep(PAUSE_S)
            await asyncio.sleep(every_s)

    def _mark(self, server: str, error: str | None) -> None:
        """Note whether a server answered; log where that changed."""
        self._get("history_server_up", server).set(error is None)
        if self._is_up.get(server, True) != (error is None):
            if error is None:
                self._telemetry.log.info("server_back", server=server)
            else:
                self._telemetry.log.warning("server_lost", server=server, error=error)
        self._is_up[server] = error is None

    async def _from_stream(self, trades: list[Trade]) -> None:
        self._streamed += await self._write(trades, "stream")

    async def _write(self, trades: list[Trade], source: str) -> int:
        began = time.monotonic()
        fresh = await store.write(self._store, trades, self._deadline_s)
        self._get("history_write_seconds").observe(time.monotonic() - began)
        self._get("history_trades_total", source).inc(fresh)
        self._get("history_repeated_trades_total").inc(len(trades) - fresh)
        return fresh

    async def audit(self) -> None:
        """Fill from the ledger what is missing before the last trade; behind it, while the stream brings nothing."""
        last = await store.last_trade_id(self._store, self._deadline_s)  # before the mark: what comes between is no gap
        self.complete = await store.complete_until(self._store, self.complete, self._deadline_s)
        streamed, self._streamed = self._streamed, 0
        while self.complete.trade_id < last or not streamed:
            before, is_gapped = self.complete, self.complete.trade_id < last
            if not await self._fill():
                break
            if is_gapped:
                self._get("history_gaps_total").inc()
            self.complete = await store.complete_until(self._store, self.complete, self._deadline_s)
            last = max(last, self.complete.trade_id)
            if self.complete == before:
                break
        self._get("history_complete_trade_id").set(self.complete.trade_id)
        self._get("history_last_trade_id").set(last)

    async def _fill(self) -> int:
        """How many trades the ledger had that were not here, of a bounded batch from each shard."""
        found = [
            trade
            for shard in self._shards
            for trade in await store.trades_in(shard, self.complete.sequence, self._settings.batch, self._deadline_s)
            if trade.trade_id > self.complete.trade_id
        ]
        fresh = await self._write(sorted(found), "ledger") if found else 0
        if fresh:
            first, last = min(found).trade_id, max(found).trade_id
            self._telemetry.log.info("gap_filled", first=first, last=last, count=fresh)
        return fresh
