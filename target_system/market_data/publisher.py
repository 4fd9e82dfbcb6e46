"""Trades into the history's stream, past everything else: what Redis does not take in time is skipped and counted.

The history finds skipped trades in the ledger (their ids have no gaps), so nothing is lost by it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from itertools import islice

import redis.asyncio

from target_system.ledger.projection import LOST
from target_system.telemetry import Telemetry
from target_system.trade_stream import ENTRY_TRADES_MAX, FIELD, STREAM, Trade, encode

QUEUE_MAX = 50_000
ENTRIES_A_CALL = 32
REST_S = 0.5


class Publisher:
    def __init__(self, client: redis.asyncio.Redis, entries_max: int, telemetry: Telemetry) -> None:
        self._redis, self._entries_max = client, entries_max
        self._get = telemetry.metrics.get
        self._waiting: deque[Trade] = deque()
        self._filled = asyncio.Event()

    @property
    def depth(self) -> int:
        return len(self._waiting)

    def put(self, trades: Iterable[Trade]) -> None:
        for trade in trades:
            if len(self._waiting) >= QUEUE_MAX:
                self._get("market_data_trades_skipped_total").inc()
            else:
                self._waiting.append(trade)
        self._filled.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                taken = [
                    self._waiting.popleft() for _ in range(min(len(self._waiting), ENTRIES_A_CALL * ENTRY_TRADES_MAX))
                ]
                try:
                    await self._add(taken)
                    self._get("market_data_trades_published_total").inc(len(taken))
                except LOST:
                    self._get("market_data_trades_skipped_total").inc(len(taken))
                    await asyncio.sleep(REST_S)

    async def _add(self, trades: list[Trade]) -> None:
        left = iter(trades)
        async with self._redis.pipeline(transaction=False) as pipe:
            while entry := list(islice(left, ENTRY_TRADES_MAX)):
                pipe.xadd(STREAM, {FIELD: encode(entry)}, maxlen=self._entries_max, approximate=True)
            await pipe.execute()
