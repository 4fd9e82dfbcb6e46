"""The kinds of signal, and the buckets that all latencies share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MetricType(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A time series family. `name` is as scraped: a counter ends in `_total`. `buckets` are bounds in the unit."""

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


LATENCY_BUCKETS_S = (
    *(round(base * 10.0**exponent, 6) for exponent in (-4, -3, -2, -1) for base in (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)),
    *(1.0, 2.0, 5.0),
)
"""Ratio of neighbours <= 1.5, so a quantile read from them is at most 22 % off (half a bucket, geometrically)."""

COUNTER, GAUGE, HISTOGRAM = MetricType.COUNTER, MetricType.GAUGE, MetricType.HISTOGRAM
