"""The reference of all signals, so that nobody needs to read code to know what a name means."""

from __future__ import annotations

from collections.abc import Iterator

from target_system import signals
from target_system.signals import MetricType

HEAD = """# Signals

Generated: `python -m target_system.signals.page > docs/reference/signals.md`.

Every series also says `component` and `instance`. A latency's buckets stand in a ratio of at most 1.5, so a quantile
that Prometheus reads from them is at most 22 % off. Log lines are JSON with `ts` (nanoseconds; the engine: text),
`level`, `component`, `instance`, `event` and the fields named here; in Loki the trace id is structured metadata. Spans
are in a run's `spans.parquet`. How they hang together, and what they cost: [telemetry](../howto/telemetry.md)."""


def page() -> str:
    return "\n".join([HEAD, *_metrics(), *_log_events(), *_spans(), ""])


def _metrics() -> Iterator[str]:
    yield from ("", "## Metrics", "", "| metric | of | type | unit | labels | meaning |", "|---|---|---|---|---|---|")
    for metric in signals.METRICS.values():
        kind = str(metric.type)
        if metric.type is MetricType.HISTOGRAM and metric.buckets:
            kind += f", {len(metric.buckets)} buckets from {metric.buckets[0]:g} to {metric.buckets[-1]:g}"
        labels = ", ".join(label for label in metric.labels if label not in ("component", "instance"))
        yield f"| `{metric.name}` | {metric.component} | {kind} | {metric.unit} | {labels} | {metric.meaning} |"


def _log_events() -> Iterator[str]:
    yield from ("", "## Log events", "", "| event | of | fields | meaning |", "|---|---|---|---|")
    for event in signals.LOG_EVENTS.values():
        yield f"| `{event.name}` | {event.component} | {', '.join(event.fields)} | {event.meaning} |"


def _spans() -> Iterator[str]:
    yield from ("", "## Spans", "", "| span | of | meaning |", "|---|---|---|")
    for span in signals.SPANS.values():
        yield f"| `{span.name}` | {span.component} | {span.meaning} |"


if __name__ == "__main__":
    print(page(), end="")
