"""Only declared names go out, log lines never hold anybody up, and sampled orders leave spans."""

from __future__ import annotations

import io
import threading

import orjson
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from target_system import telemetry, tracing
from target_system.telemetry import LogWriter, Metrics, Telemetry
from target_system.tracing import OrderTracer, Stage, trace_parent_of


class Kept(SpanExporter):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: object) -> SpanExportResult:
        self.spans += spans  # type: ignore[operator]
        return SpanExportResult.SUCCESS


def test_a_metric_that_is_not_declared_is_refused() -> None:
    with pytest.raises(KeyError, match="not declared"):
        Metrics("gateway").get("gateway_nonsense_total")


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
    tracer = OrderTracer("gateway", "g", kept, ratio=0.0, slow_ms=100)
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
    assert trace_parent_of(root).startswith(b"00-" + b"ab" * 16)


@pytest.mark.parametrize(
    "header", [b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-02", b"00-" + b"0" * 32 + b"-" + b"cd" * 8 + b"-01", b"junk"]
)
def test_an_order_is_not_sampled_against_its_clients_word(header: bytes) -> None:
    tracer = OrderTracer("gateway", "g", Kept(), ratio=1.0, slow_ms=100)
    assert tracer.start(header, 1) is None
    tracer.close()


@pytest.mark.parametrize(("taken_ms", "status", "is_traced"), [(99, 201, False), (100, 201, True), (1, 503, True)])
def test_an_order_that_was_slow_or_failed_is_traced_though_nobody_sampled_it(
    taken_ms: int, status: int, is_traced: bool
) -> None:
    tracer = OrderTracer("gateway", "g", Kept(), ratio=0.0, slow_ms=100)
    assert (tracer.start_late(1, taken_ms * 1_000_000, status) is not None) is is_traced
    tracer.close()


def test_where_every_order_is_slow_only_some_of_each_second_are_traced() -> None:
    tracer = OrderTracer("gateway", "g", Kept(), ratio=0.0, slow_ms=100)
    spans = [tracer.start_late(second * 10**9 + n, 10**9, 201) for second in (1, 2) for n in range(50)]
    assert sum(span is not None for span in spans) == 2 * tracing.LATE_PER_S
    tracer.close()


def test_without_an_exporter_nothing_is_sampled() -> None:
    tracer = OrderTracer("gateway", "g", tracing.otlp_exporter(None), ratio=1.0, slow_ms=100)
    assert tracer.start(None, 1) is None
    tracer.close()
