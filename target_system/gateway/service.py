"""One gateway with all that it talks to: assembled from the settings, started, drained, stopped."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from target_system.gateway.crash_points import CrashPoints
from target_system.gateway.engine_stream import EngineStream
from target_system.gateway.events import EngineEvents, LedgerEvents, redis_events, risk_events
from target_system.gateway.history_reads import HistoryReads
from target_system.gateway.order_path import OrderPath
from target_system.gateway.orders_edge import OrdersEdge, Work
from target_system.gateway.reads import Reads
from target_system.gateway.risk_wiring import build_risk
from target_system.gateway.sessions_edge import SessionsEdge
from target_system.gateway.validation import Forms, Tradable
from target_system.ledger import projection
from target_system.ledger.access import Access
from target_system.ledger.connections import for_each_shard
from target_system.ledger.rows import Symbols
from target_system.ledger.write_path import Group, PerOrder
from target_system.proto import engine_pb2 as pb
from target_system.settings import GatewaySettings, password_of
from target_system.telemetry import Telemetry, watch_event_loop
from target_system.tracing import OrderTracer, otlp_exporter

WRITE_PATHS: dict[str, type[PerOrder | Group]] = {"per_order": PerOrder, "group": Group}


class Gateway:
    def __init__(self, settings: GatewaySettings, out: BinaryIO | None = None) -> None:
        self.settings = settings
        self.telemetry = Telemetry("gateway", settings.name, out, settings.signals)
        exporter = otlp_exporter(settings.otlp_endpoint if settings.signals in ("all", "traces") else None)
        spans_dropped = self.telemetry.metrics.get("gateway_spans_dropped_total").inc
        self.tracer = OrderTracer(
            "gateway", settings.name, exporter, settings.trace_ratio, settings.trace_slow_ms, spans_dropped
        )
        self.work = Work(settings.in_flight_max)
        self.crash = CrashPoints(settings.crash_at)
        ledger_s, redis_s, read_s = (
            ms / 1000 for ms in (settings.ledger_deadline_ms, settings.redis_deadline_ms, settings.read_deadline_ms)
        )
        symbols = Symbols(settings.symbols, len(settings.ledger_dsns))
        self.shards = for_each_shard(
            settings.ledger_dsns, settings.ledger_pool_size, LedgerEvents(self.telemetry), settings.ledger_deadline_ms
        )
        self.engine = EngineStream(
            settings.engine_target,
            settings.engine_deadline_ms / 1000,
            settings.gather_ms / 1000,
            self._difference,
            self.crash.before("sent", EngineEvents(self.telemetry, settings.engine_target), "batch_sent"),
        )
        self.redis = projection.connect(settings.redis_url, password_of(settings.redis_password_file), redis_s)
        get = self.telemetry.metrics.get
        write_path = WRITE_PATHS[settings.ledger_write_path]
        ledger = write_path(self.shards, ledger_s, get("gateway_ledger_retries_total").inc)
        positions = projection.Projection(
            self.redis,
            redis_s,
            settings.gather_ms / 1000,
            get("gateway_projection_batch_commands").observe,
            redis_events(self.telemetry),
        )
        path = OrderPath(
            self.crash.before("validated", self.engine, "ask"),
            self.crash.after("committed", ledger, "record"),
            self.crash.after("projected", positions, "apply"),
            symbols,
            get("gateway_projection_skipped_total").inc,
        )
        self.access = Access(self.shards[0], read_s)
        tradable = Tradable(frozenset(settings.symbols), settings.price_ticks_min, settings.price_ticks_max)
        self.risk, self.follower, self.sources = build_risk(
            settings.risk, lambda: self.engine.stub, self.shards, symbols, self.redis, read_s,
            risk_events(self.telemetry),
        )  # fmt: skip
        forms = Forms(tradable)
        self.orders = OrdersEdge(self.access, path, forms, symbols, self.risk, self.work, self.telemetry, self.tracer)
        self.sessions = SessionsEdge(self.access, self.orders, self.shards[0], forms, read_s)
        self.symbols = symbols
        self.reads = Reads(self.shards, self.redis, lambda: self.engine.stub, symbols, read_s)
        self.history = HistoryReads(self.shards[0], symbols, read_s)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        for shard in self.shards:
            shard.start()
        if self.settings.ledger_pool_file is not None:
            self._bound_pool(self.settings.ledger_pool_file)
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self._bound_pool, self.settings.ledger_pool_file)
        self._tasks = [
            asyncio.create_task(self.engine.run(), name="the stream to the engine"),
            asyncio.create_task(self.follower.run(), name="the follower of open orders and positions"),
        ]
        if self.telemetry.metrics.is_on:
            lag = self.telemetry.metrics.get("gateway_event_loop_lag_seconds")
            self._tasks.append(asyncio.create_task(watch_event_loop(lag)))
        self.telemetry.log.info("started", host=self.settings.host, port=self.settings.port)

    async def stop(self) -> None:
        """After the last answer: close everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for shard in self.shards:
            await shard.close()
        with suppress(*projection.LOST):
            await self.redis.aclose()
        self.telemetry.log.info("stopped", in_flight=self.work.in_flight)
        await asyncio.to_thread(self.tracer.close)
        self.telemetry.close()

    def _bound_pool(self, file: Path) -> None:
        usable = int(file.read_text()) if file.exists() else self.settings.ledger_pool_size
        for shard in self.shards:
            shard.bound(usable)

    def begin_stop(self) -> None:
        self.work.is_stopping = True
        self.telemetry.log.info("stopping", in_flight=self.work.in_flight)

    def not_ready(self) -> list[str]:
        """Why this gateway should get no orders now; empty if it should."""
        return [*self._reasons()]

    def _reasons(self) -> Iterator[str]:
        if self.work.is_stopping:
            yield "stopping"
        for task in self._tasks:
            if task.done() and not task.cancelled():
                yield f"{task.get_name()} has ended: {task.exception()!r}"
        if not self.engine.is_connected:
            yield "no stream to the engine"
        if not self.follower.has_begun:
            yield "positions and open orders are being read"
        for shard in self.shards:
            if not shard.open_count:
                yield f"no connection to ledger shard {shard.shard}"

    def exposition(self) -> bytes:
        get = self.telemetry.metrics.get
        get("gateway_clock_seconds").set(time.time())
        get("gateway_orders_in_flight").set(self.work.in_flight)
        get("gateway_risk_followed_sequence").set(self.follower.sequence)
        get("gateway_engine_connected").set(self.engine.is_connected)
        for shard in self.shards:
            get("gateway_ledger_waiters", shard.shard).set(shard.waiting)
            get("gateway_ledger_connections", shard.shard, "idle").set(shard.free)
            get("gateway_ledger_connections", shard.shard, "busy").set(shard.open_count - shard.free - shard.withheld)
        return self.telemetry.metrics.exposition()

    def _difference(self, status: pb.StatusReply) -> str | None:
        """What in the engine's status does not fit this gateway."""
        told = self.settings
        if status.replaying:
            return "it replays its journal"
        if tuple(status.symbols) != told.symbols:
            return f"symbols: engine {list(status.symbols)}, gateway {list(told.symbols)}; start both with one list"
        if told.price_ticks_min < status.price_ticks_min or told.price_ticks_max > status.price_ticks_max:
            return (
                f"prices: engine {status.price_ticks_min}..{status.price_ticks_max}, gateway "
                f"{told.price_ticks_min}..{told.price_ticks_max}; the gateway's range must lie within the engine's"
            )
        return None
