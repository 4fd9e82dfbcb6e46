"""Metric data as put, and as an alarm sees it: one value a period."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.aws.errors import AwsError

SAMPLES_MAX = 20_000
SERIES_MAX = 2_000

Key = tuple[str, str, str, frozenset[tuple[str, str]]]
"""Region, namespace, name, dimensions."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`values` with how often each came; a statistic set has its minimum and maximum there."""

    at_s: float
    unit: str | None
    count: float
    total: float
    values: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A period's value; `at_s` is its start."""

    at_s: float
    count: float
    value: float


class Series:
    def __init__(self) -> None:
        self._samples: dict[Key, deque[Sample]] = {}

    def put(self, region: str, namespace: str, datum: Mapping[str, Any], now_s: float) -> None:
        """Raises AwsError where there are more metrics than are kept."""
        key = key_of(region, namespace, datum)
        if key not in self._samples and len(self._samples) >= SERIES_MAX:
            raise AwsError("LimitExceededException", f"no more than {SERIES_MAX} metrics are kept here")
        self._samples.setdefault(key, deque(maxlen=SAMPLES_MAX)).append(sample_of(datum, now_s))

    def points(self, region: str, alarm: Mapping[str, Any], period_s: float, until_s: float, count: int) -> list[Point]:
        """The values of the last periods before `until_s` that have one, oldest first."""
        end = math.floor(until_s / period_s) * period_s
        samples = self._samples.get(key_of(region, alarm["Namespace"], alarm), ())
        found = []
        for start in (end - n * period_s for n in range(count, 0, -1)):
            within = [
                sample
                for sample in samples
                if start <= sample.at_s < start + period_s and alarm.get("Unit") in (None, sample.unit)
            ]
            if within:
                value = statistic(alarm.get("Statistic") or alarm["ExtendedStatistic"], within)
                found.append(Point(start, sum(sample.count for sample in within), value))
        return found


def key_of(region: str, namespace: str, named: Mapping[str, Any]) -> Key:
    dimensions = frozenset((each["Name"], each["Value"]) for each in named.get("Dimensions", ()))
    return (region, namespace, named["MetricName"], dimensions)


def sample_of(datum: Mapping[str, Any], now_s: float) -> Sample:
    at = datum.get("Timestamp")
    at_s, unit = at.timestamp() if at else now_s, datum.get("Unit")
    if "StatisticValues" in datum:
        given = datum["StatisticValues"]
        ends = ((given["Minimum"], 1.0), (given["Maximum"], max(given["SampleCount"] - 1.0, 0.0)))
        return Sample(at_s, unit, given["SampleCount"], given["Sum"], ends)
    values = datum.get("Values") or [datum.get("Value", 0.0)]
    counts = datum.get("Counts") or [1.0] * len(values)
    total = sum(value * count for value, count in zip(values, counts, strict=True))
    return Sample(at_s, unit, sum(counts), total, tuple(zip(values, counts, strict=True)))


def statistic(name: str, samples: list[Sample]) -> float:
    count, total = sum(sample.count for sample in samples), sum(sample.total for sample in samples)
    values = sorted(pair for sample in samples for pair in sample.values)
    if name == "Average":
        return total / count
    if name == "Sum":
        return total
    if name == "SampleCount":
        return count
    if name in ("Minimum", "Maximum"):
        return values[0 if name == "Minimum" else -1][0]
    rank = float(name[1:]) / 100 * sum(weight for _, weight in values)
    for value, weight in values:
        rank -= weight
        if rank <= 0:
            return value
    return values[-1][0]
