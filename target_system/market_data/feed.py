"""The one subscription to the engine that all clients share. It begins again, with snapshots, whenever it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import grpc

from target_system.market_data.books import Books, Change, GapError
from target_system.proto import engine_pb2 as pb
from target_system.proto import market_data_pb2 as md
from target_system.proto.engine_pb2_grpc import EngineStub
from target_system.proto.market_data_pb2_grpc import MarketDataStub
from target_system.telemetry import Telemetry

RETRY_S = 0.2
CHANNEL_OPTIONS = (("grpc.max_reconnect_backoff_ms", 500), ("grpc.max_receive_message_length", -1))


class FeedLost(Exception):
    """The stream is of no more use; the text says why."""


class Feed:
    """Keeps `books`; calls `tell` with the symbols set anew and with the changes, each time some have come."""

    def __init__(
        self, target: str, books: Books, silence_s: float, tell: Callable[[list[int], list[Change]], None],
        telemetry: Telemetry,
    ) -> None:  # fmt: skip
        self._target, self._books, self._silence_s, self._tell = target, books, silence_s, tell
        self._get, self._log = telemetry.metrics.get, telemetry.log
        self._heard_at = time.monotonic()
        self.is_connected = False
        """Whether every book is as the engine last told."""

    @property
    def staleness_s(self) -> float:
        return time.monotonic() - self._heard_at

    async def run(self) -> None:
        """Until cancelled."""
        was_connected = True
        while True:
            try:
                async with grpc.aio.insecure_channel(self._target, options=CHANNEL_OPTIONS) as channel:
                    await self._follow(channel)
            except (grpc.aio.AioRpcError, FeedLost, GapError, TimeoutError) as error:
                was_connected, self.is_connected = self.is_connected or was_connected, False
                if isinstance(error, GapError):
                    self._get("market_data_gaps_total").inc()
                if was_connected:
                    self._log.warning("feed_lost", error=f"{type(error).__name__}: {error}")
                was_connected = False
            await asyncio.sleep(RETRY_S)

    async def _follow(self, channel: Any) -> None:
        status = await EngineStub(channel).Status(pb.StatusRequest(), timeout=self._silence_s)
        names = [book.symbol for book in self._books.all]
        if list(status.symbols) != names:
            raise FeedLost(f"symbols: engine {list(status.symbols)}, here {names}; start both with one list")
        call = MarketDataStub(channel).Subscribe(md.SubscribeRequest())
        unseen = set(range(len(names)))
        while True:
            async with asyncio.timeout(self._silence_s):
                events = await call.read()
            if events is grpc.aio.EOF:
                raise FeedLost(f"ended by the engine: {await call.details()}")
            self._take(events)
            if unseen:
                unseen -= {snapshot.symbol for snapshot in events.snapshots}
                if not unseen:
                    self.is_connected = True
                    self._get("market_data_resyncs_total").inc()
                    self._log.info("synchronised", sequence=events.sequence)

    def _take(self, events: md.Events) -> None:
        self._heard_at = time.monotonic()
        anew, changes = self._books.apply(events)
        if events.updates:
            self._get("market_data_updates_total").inc(len(events.updates))
        delay, now_ns = self._get("market_data_delay_seconds"), time.time_ns()
        for change in changes:
            delay.observe(max(0, now_ns - change.received_ns) * 1e-9)
        if anew or changes:
            self._tell(anew, changes)
