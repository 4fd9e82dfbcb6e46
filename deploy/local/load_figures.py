"""What the generator of the present window last said of itself, kept where Prometheus finds it.

Generators come and go with their windows, the supervisor stays: whoever listens to a generator passes each second on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from target_system import signals
from target_system.signals import MetricType

GENERATOR = ["generator", "generator"]


class LoadFigures(Collector):
    """`told` takes one second: name of the metric → its label beside the part's (or "") → value."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], float] = {}

    def told(self, figures: Mapping[str, Mapping[str, float]]) -> None:
        """Counters are added up; a gauge that is not named is gone, and nothing at all is the end of a window."""
        kept = {key: value for key, value in self._values.items() if _is_counter(key[0])}
        for name, values in figures.items():
            for label, value in values.items():
                kept[name, label] = kept.get((name, label), 0.0) + value
        self._values = kept

    def collect(self) -> Iterator[Metric]:
        for metric in signals.generator.METRICS:
            kind = CounterMetricFamily if metric.type is MetricType.COUNTER else GaugeMetricFamily
            family = kind(metric.name, metric.meaning, labels=metric.labels)
            for (name, label), value in self._values.items():
                if name == metric.name:
                    family.add_metric([*GENERATOR, label] if label else GENERATOR, value)
            yield family


def _is_counter(name: str) -> bool:
    return signals.METRICS[name].type is MetricType.COUNTER
