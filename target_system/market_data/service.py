"""One market data process with all that it talks to: assembled from the settings, started, stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import BinaryIO

from target_system.ledger import projection
from target_system.ledger.access import Access
from target_system.ledger.connections import Connections, SilentWatcher
from target_system.market_data.books import Books, Change, heartbeat
from target_system.market_data.clients import Client, Clients
from target_system.market_data.feed import Feed
from target_system.market_data.publisher import Publisher
from target_system.settings import MarketDataSettings, password_of
from target_system.telemetry import Telemetry, watch_event_loop

REDIS_DEADLINE_S = 1.0


class MarketData:
    def __init__(self, settings: MarketDataSettings, out: BinaryIO | None = None) -> None:
        self.settings = settings
        self.telemetry = Telemetry("market_data", settings.name, out)
        self.books = Books(settings.symbols)
        self.clients = Clients(len(settings.symbols))
        self.indices = {symbol: index for index, symbol in enumerate(settings.symbols)}
        self.is_stopping = False
        read_s = settings.read_deadline_ms / 1000
        self._ledger = Connections(settings.ledger_dsns[0], 1, "1", SilentWatcher(), settings.read_deadline_ms)
        self.access = Access(self._ledger, read_s)
        self.feed = Feed(settings.engine_target, self.books, settings.silence_ms / 1000, self._tell, self.telemetry)
        self._redis = projection.connect(
            settings.redis_url, password_of(settings.redis_password_file), REDIS_DEADLINE_S
        )
        self.publisher = Publisher(self._redis, settings.stream_entries_max, self.telemetry)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._ledger.start()
        lag = self.telemetry.metrics.get("market_data_event_loop_lag_seconds")
        work = (self.feed.run(), self.publisher.run(), self._beat(), watch_event_loop(lag))
        self._tasks = [asyncio.create_task(each) for each in work]
        self.telemetry.log.info("started", host=self.settings.host, port=self.settings.port)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._ledger.close()
        with suppress(*projection.LOST):
            await self._redis.aclose()
        self.telemetry.log.info("stopped")
        self.telemetry.close()

    def begin_stop(self) -> None:
        self.is_stopping = True

    def join(self, account: int, symbols: frozenset[int]) -> Client:
        """A client that has its snapshots waiting; whatever changes afterwards comes behind them."""
        client = Client(account, symbols, self.settings.client_bytes_max)
        if self.feed.is_connected:
            client.put(*(self.books.all[symbol].snapshot() for symbol in sorted(symbols)))
        self.clients.add(client)
        return client

    def not_ready(self) -> list[str]:
        return [*self._reasons()]

    def _reasons(self) -> Iterator[str]:
        if self.is_stopping:
            yield "stopping"
        if not self.feed.is_connected:
            yield "no market data from the engine"

    def exposition(self) -> bytes:
        get = self.telemetry.metrics.get
        get("market_data_clients").set(len(self.clients.all))
        get("market_data_clients_max").set(self.settings.clients_max)
        get("market_data_queue_bytes").set(self.clients.waiting_bytes_max)
        get("market_data_queue_max_bytes").set(self.settings.client_bytes_max)
        get("market_data_sequence").set(self.books.sequence)
        get("market_data_staleness_seconds").set(self.feed.staleness_s)
        get("market_data_engine_connected").set(self.feed.is_connected)
        get("market_data_trade_queue_depth_trades").set(self.publisher.depth)
        return self.telemetry.metrics.exposition()

    def _tell(self, anew: list[int], changes: list[Change]) -> None:
        self.clients.tell_anew(anew, lambda symbol: self.books.all[symbol].snapshot())
        for change in changes:
            self.clients.tell(change.symbol, partial(change.message, self.settings.symbols[change.symbol]))
            if self.settings.publishes_trades and change.trades:
                self.publisher.put(change.trades)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.settings.heartbeat_ms / 1000)
            self.clients.tell_all(heartbeat(self.books.sequence, self.feed.is_connected, time.time_ns()))
