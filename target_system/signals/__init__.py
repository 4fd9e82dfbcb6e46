"""The register of every metric, span and log event: what it means, its unit, its labels, and who emits it.

A name that is not declared here cannot be emitted (telemetry refuses it) nor used by a rule, a board or an analysis
(tests/test_house.py refuses that). One module a component; a new component adds its own to `BLOCKS`. Standard library
only, so that anything may import it.

Metric names follow Prometheus: base units, `_total` for counters. Labels come from closed sets; order ids belong in
logs and traces.
"""

from __future__ import annotations

from target_system.signals import (
    cluster,
    engine,
    exporters,
    gateway,
    generator,
    history,
    market_data,
    settler,
    sns,
    subscribers,
    wait_sampler,
)
from target_system.signals.kinds import LogEvent, Metric, MetricType, Span

__all__ = ["BLOCKS", "LOG_EVENTS", "METRICS", "SPANS", "LogEvent", "Metric", "MetricType", "Span"]

BLOCKS = (
    generator, gateway, settler, market_data, history, wait_sampler, engine, sns, subscribers, cluster, exporters,
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for block in BLOCKS for metric in block.METRICS}
LOG_EVENTS: dict[str, LogEvent] = {event.name: event for block in BLOCKS for event in getattr(block, "LOG_EVENTS", ())}
SPANS: dict[str, Span] = {span.name: span for block in BLOCKS for span in getattr(block, "SPANS", ())}
