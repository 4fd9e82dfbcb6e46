"""What a component tells about itself: metrics from the register, JSON log lines, spans of a sample of orders.

None of it may block the path it watches. Log lines go to a bounded queue that a thread writes out, spans to another
that a thread sends, and a metric's label children are looked up once.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, BinaryIO

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from target_system import signals
from target_system.histogram import HistogramFamily
from target_system.signals import MetricType

LOG_LINES_MAX = 20_000
LOG_WRITE_EVERY_S = 0.25
LAG_TIMER_S = 0.02
ORDER_FIELDS = frozenset(signals.LOG_EVENTS["order"].fields)


class Silent:
    """In the place of a metric where metrics are switched off, to measure what they cost."""

    def inc(self, amount: float = 1) -> None: ...
    def set(self, value: float) -> None: ...
    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None: ...


class Metrics:
    """One component's families, each made once from its declaration; a name that is not declared is an error."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, component: str, is_on: bool = True) -> None:
        self.is_on = is_on
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._declared = {m.name: m for m in signals.METRICS.values() if m.component == component}
        self._histograms: dict[str, HistogramFamily] = {}
        self._families = {name: self._make(metric) for name, metric in self._declared.items()} if is_on else {}
        self._children: dict[tuple[str, ...], Any] = {}

    def _make(self, metric: signals.Metric) -> Any:
        if metric.type is MetricType.HISTOGRAM:
            return self._histograms.setdefault(metric.name, HistogramFamily(metric))
        kind = Counter if metric.type is MetricType.COUNTER else Gauge
        return kind(metric.name, metric.meaning, metric.labels, registry=self.registry)

    def get(self, name: str, *labels: str) -> Any:
        """The child with these label values, in the order of the declaration."""
        child = self._children.get((name, *labels))
        if child is None:
            child = self._children[(name, *labels)] = self._child(name, labels)
        return child

    def _child(self, name: str, labels: tuple[str, ...]) -> Any:
        if name not in self._declared:
            raise KeyError(f"metric {name} is not declared for this component; add it to target_system/signals")
        if not self.is_on:
            return Silent()
        family = self._families[name]
        return family.labels(*labels) if labels or name in self._histograms else family

    def exposition(self) -> bytes:
        histograms = "".join(family.text() for family in self._histograms.values())
        return histograms.encode() + bytes(generate_latest(self.registry))  # type: ignore[no-untyped-call]


class LogWriter:
    """Writes lines to a file from a thread of its own. When it cannot keep up the newest lines are lost and counted."""

    def __init__(self, out: BinaryIO, on_drop: Callable[[], None]) -> None:
        self._out, self._on_drop = out, on_drop
        self._lines: deque[bytes | Callable[[], bytes]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, line: bytes | Callable[[], bytes]) -> None:
        """A line, or what makes it when it is written: many at once find the caches warm."""
        if len(self._lines) >= LOG_LINES_MAX:
            self._on_drop()
        else:
            self._lines.append(line)

    def close(self, timeout_s: float = 2.0) -> None:
        self._stop.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.wait(LOG_WRITE_EVERY_S):
            self._write()
        self._write()

    def _write(self) -> None:
        count = len(self._lines)
        if count:
            lines = [self._lines.popleft() for _ in range(count)]
            self._out.write(b"\n".join([*(line if isinstance(line, bytes) else line() for line in lines), b""]))
            self._out.flush()


def render(_logger: object, level: str, event: structlog.types.EventDict) -> bytes:
    if event["event"] not in signals.LOG_EVENTS:
        raise KeyError(f"log event {event['event']} is not declared; add it to target_system/signals")
    return orjson.dumps({"ts": time.time_ns(), "level": level, **event}, default=repr)


class _Sink:
    """What structlog takes for a logger: every level puts the rendered line into the writer."""

    def __init__(self, writer: LogWriter) -> None:
        self.info = self.warning = self.error = writer.put


class Telemetry:
    """The metrics and the log of one process. `ts` of a line is wall clock nanoseconds.

    `signals`: "all", or what alone is on, so that its cost can be measured ("none" included). What is rare is always
    logged; `logs` is about the line that each order gets.
    """

    def __init__(self, component: str, instance: str, out: BinaryIO | None = None, signals: str = "all") -> None:
        self.component, self.instance = component, instance
        self.metrics = Metrics(component, signals in ("all", "metrics"))
        self.logs_orders = signals in ("all", "logs")
        dropped = self.metrics.get(f"{component}_log_lines_dropped_total")
        self._writer = LogWriter(out or sys.stdout.buffer, dropped.inc)
        self._origin = {"component": component, "instance": instance}
        self.log: structlog.BoundLogger = structlog.wrap_logger(
            _Sink(self._writer), processors=[render], component=component, instance=instance
        ).bind()

    def log_order(self, fields: Mapping[str, object]) -> None:
        """The line that each order gets: as `log.info("order", ...)` writes it, but made by the writer's thread."""
        if not self.logs_orders:
            return
        if not fields.keys() <= ORDER_FIELDS:
            raise KeyError(
                f"fields {fields.keys() - ORDER_FIELDS} of order are not declared; see target_system/signals"
            )
        self._writer.put(partial(self._order_line, time.time_ns(), fields))

    def _order_line(self, ts: int, fields: Mapping[str, object]) -> bytes:
        line = {"ts": ts, "level": "info", **self._origin, **fields, "event": "order"}
        return orjson.dumps(line, default=repr)

    def close(self) -> None:
        self._writer.close()


async def watch_event_loop(gauge: Any) -> None:
    """Set the gauge each second to the worst lateness of a short timer, in seconds."""
    worst, until = 0.0, time.monotonic() + 1.0
    while True:
        due = time.monotonic() + LAG_TIMER_S
        await asyncio.sleep(LAG_TIMER_S)
        now = time.monotonic()
        worst = max(worst, now - due)
        if now >= until:
            gauge.set(worst)
            worst, until = 0.0, now + 1.0
