"""Only declared names go out, log lines never hold anybody up, and sampled orders leave spans."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence

import orjson
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import CollectorRegistry
from prometheus_client import Histogram as Reference
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from target_system import histogram, signals, telemetry, tracing
from target_system.telemetry import LogWriter, Metrics, Telemetry
from target_system.tracing import OrderTracer, Stage


class Kept(SpanExporter):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def shutdown(self) -> None: ...

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


def test_a_metric_that_is_not_declared_is_refused() -> None:
    with pytest.raises(KeyError, match="not declared"):
        Metrics("gateway").get("gateway_nonsense_total")


def parsed(text: bytes) -> dict[str, object]:
    """Family → its samples with their exemplars, without when they were taken."""
    return {
        family.name: sorted(
            (s.name, sorted(s.labels.items()), s.value, s.exemplar and (s.exemplar.labels, s.exemplar.value))
            for s in family.samples
            if not s.name.endswith("_created")
        )
        for family in text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call]
    }  # fmt: skip


def test_a_histogram_is_exposed_as_the_library_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histogram, "WAITING_MAX", 3)
    declared = [each for each in signals.METRICS.values() if each.component == "gateway" and each.buckets]
    registry, ours = CollectorRegistry(), Metrics("gateway")
    for metric in declared:
        theirs = Reference(metric.name, metric.meaning, metric.labels, buckets=metric.buckets, registry=registry)
        values = [f'a "{label}" \\' for label in metric.labels]
        for value in (0.0, metric.buckets[0], metric.buckets[3] * 1.01, 0.5, 1e6):
            exemplar = {"trace_id": "ab"} if value == 0.5 else None
            (theirs.labels(*values) if values else theirs).observe(value, exemplar)
            ours.get(metric.name, *values).observe(value, exemplar)
    wanted = parsed(generate_latest(registry))  # type: ignore[no-untyped-call]
    shown = parsed(ours.exposition())
    assert {name: shown[name] for name in wanted} == wanted
    assert len(wanted) == len(declared) > 3


def test_the_line_of_an_order_is_as_structlog_writes_it() -> None:
    fields = {"endpoint": "POST /v1/orders", "status": 201, "total_us": 7}
    out = io.BytesIO()
    told = Telemetry("gateway", "g-1", out)
    told.log_order(fields)
    told.log.info("order", **fields)
    told.close()
    ours, theirs = (orjson.loads(line) for line in out.getvalue().splitlines())
    assert ours | {"ts": 0} == theirs | {"ts": 0}


def test_a_field_that_the_line_of_an_order_does_not_declare_is_refused() -> None:
    told = Telemetry("gateway", "g-1", io.BytesIO())
    with pytest.raises(KeyError, match="not declared"):
        told.log_order({"nonsense": 1})
    told.close()


def test_what_is_switched_off_is_not_exposed() -> None:
    told = Telemetry("gateway", "g", io.BytesIO(), signals="none")
    told.metrics.get("gateway_ledger_wait_seconds").observe(1)
    told.log_order({"status": 201})
    told.close()
    assert b"gateway_" not in told.metrics.exposition()


def test_an_event_that_is_not_declared_is_refused() -> None:
    told = Telemetry("gateway", "g", io.BytesIO())
    with pytest.raises(KeyError, match="not declared"):
        told.log.info("nonsense")
    told.close()


def test_a_line_is_json_with_time_level_and_origin() -> None:
    out = io.BytesIO()
    told = Telemetry("settler", "s-1", out)
    told.log.warning("server_lost", server="redis")
    told.close()
    line = orjson.loads(out.getvalue())
    assert line.pop("ts") > 1_600_000_000_000_000_000
    assert line == {
        "level": "warning",
        "component": "settler",
        "instance": "s-1",
        "event": "server_lost",
        "server": "redis",
    }


class Stuck(io.BytesIO):
    """A pipe that nobody reads, until it is told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.flows = threading.Event()
        self.entered = threading.Event()

    def write(self, data: object) -> int:
        self.entered.set()
        self.flows.wait(10)
        return super().write(data)  # type: ignore[arg-type]


def test_a_stuck_output_holds_nobody_up_and_loses_only_what_exceeds_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "LOG_LINES_MAX", 10)
    out, dropped = Stuck(), []
    writer = LogWriter(out, lambda: dropped.append(1))
    writer.put(b"first")
    assert out.entered.wait(5)
    for n in range(15):
        writer.put(b"%d" % n)
    out.flows.set()
    writer.close()
    assert (len(dropped), out.getvalue().split()) == (5, [b"first", *(b"%d" % n for n in range(10))])


def test_spans_of_a_sampled_order_hang_under_the_clients() -> None:
    kept = Kept()
    tracer = OrderTracer("gateway", "g", kept, ratio=0.0, slow_ms=100, on_drop=lambda _: None)
    root = tracer.start(b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-03", 1_000)
    assert root is not None
    engine = Stage("engine", 1_100, 1_500, (Stage("engine.matched", 1_200, 1_300),))
    tracer.finish(root, 2_000, [Stage("validate", 1_000, 1_100), engine], {"status": 201})
    tracer.close()
    names = {span.name: span for span in kept.spans}
    parents = {name: names[name].parent.span_id for name in names}  # type: ignore[union-attr]
    assert parents == {
        "order": 0xCDCDCDCDCDCDCDCD, "validate": names["order"].context.span_id,
        "engine": names["order"].context.span_id, "engine.matched": names["engine"].context.span_id,
    }  # fmt: skip
    assert {span.context.trace_id for span in kept.spans} == {int("ab" * 16, 16)}
    assert (names["engine"].start_time, names["engine"].end_time) == (1_100, 1_500)
    assert root.trace_parent == b"00-" + b"ab" * 16 + b"-%016x-01" % names["order"].context.span_id


@pytest.mark.parametrize(
    "header", [b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-02", b"00-" + b"0" * 32 + b"-" + b"cd" * 8 + b"-01", b"junk"]
)
def test_an_order_is_not_sampled_against_its_clients_word(header: bytes) -> None:
    tracer = OrderTracer("gateway", "g", Kept(), ratio=1.0, slow_ms=100, on_drop=lambda _: None)
    assert tracer.start(header, 1) is None
    tracer.close()


@pytest.mark.parametrize(("taken_ms", "status", "is_traced"), [(99, 201, False), (100, 201, True), (1, 503, True)])
def test_an_order_that_was_slow_or_failed_is_traced_though_nobody_sampled_it(
    taken_ms: int, status: int, is_traced: bool
) -> None:
    tracer = OrderTracer("gateway", "g", Kept(), ratio=0.0, slow_ms=100, on_drop=lambda _: None)
    assert (tracer.start_late(1, taken_ms * 1_000_000, status) is not None) is is_traced
    tracer.close()


def test_where_every_order_is_slow_only_some_of_each_second_are_traced() -> None:
    tracer = OrderTracer("gateway", "g", Kept(), ratio=0.0, slow_ms=100, on_drop=lambda _: None)
    spans = [tracer.start_late(second * 10**9 + n, 10**9, 201) for second in (1, 2) for n in range(50)]
    assert sum(span is not None for span in spans) == 2 * tracing.LATE_PER_S
    tracer.close()


def test_without_an_exporter_nothing_is_sampled() -> None:
    tracer = OrderTracer("gateway", "g", tracing.otlp_exporter(None), ratio=1.0, slow_ms=100, on_drop=lambda _: None)
    assert tracer.start(None, 1) is None
    tracer.close()


class Away(Kept):
    """A collector that lets a request wait, and then does not take it."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.ends = threading.Event(), threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        self.ends.wait(10)
        super().export(spans)
        return SpanExportResult.FAILURE


def test_what_a_collector_does_not_take_is_counted_and_delays_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "ORDERS_MAX", 10)
    monkeypatch.setattr(tracing, "EXPORT_EVERY_S", 0.01)
    away = Away()
    dropped: list[int] = []
    tracer = OrderTracer("gateway", "g", away, ratio=1.0, slow_ms=100, on_drop=dropped.append)

    def trace() -> None:
        root = tracer.start(None, 1)
        assert root is not None
        tracer.finish(root, 2, [Stage("engine", 1, 2, (Stage("engine.matched", 1, 2),))], {})

    trace()
    assert away.entered.wait(5)
    for _ in range(15):
        trace()
    assert dropped == [3] * 5
    away.ends.set()
    tracer.close()
    assert sum(dropped) == 16 * 3
    assert len(away.spans) == 11 * 3
