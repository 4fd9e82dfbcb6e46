"""The register of every metric, span and log event: what it means, its unit, its labels, and who emits it.

A name that is not declared here cannot be emitted (telemetry refuses it) nor used by a rule, a board or an analysis
(tests/test_house.py refuses that). Standard library only, so that anything may import it.

Metric names follow Prometheus: base units, `_total` for counters. Labels come from closed sets; order ids belong in
logs and traces.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MetricType(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A time series family. `name` is as scraped, so a counter ends in `_total`; `buckets` are upper bounds in the unit."""

    name: str
    type: MetricType
    unit: str
    component: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class LogEvent:
    name: str
    component: str
    meaning: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    name: str
    component: str
    meaning: str


LATENCY_BUCKETS_S = tuple(
    round(base * 10.0**exponent, 6)
    for exponent in (-4, -3, -2, -1)
    for base in (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
) + (1.0, 2.0, 5.0)
"""Ratio of neighbours <= 1.5, so a quantile read from them is at most 22 % off (half a bucket, geometrically)."""

_C, _G, _H = MetricType.COUNTER, MetricType.GAUGE, MetricType.HISTOGRAM

# One block a component; a new component adds its own.

GATEWAY: tuple[Metric, ...] = ()
SETTLER: tuple[Metric, ...] = ()
ENGINE: tuple[Metric, ...] = ()
CLUSTER: tuple[Metric, ...] = ()
GENERATOR: tuple[Metric, ...] = ()
EXPORTERS: tuple[Metric, ...] = ()
"""What Debian's exporters and HAProxy say and the lab reads; only these are kept in a run's record."""

METRICS: dict[str, Metric] = {
    metric.name: metric for block in (GATEWAY, SETTLER, ENGINE, CLUSTER, GENERATOR, EXPORTERS) for metric in block
}

LOG_EVENTS: dict[str, LogEvent] = {}

SPANS: dict[str, Span] = {}
