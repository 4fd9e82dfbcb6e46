"""The matrix of component × signal: what the register declares against what Prometheus, Loki and the spans hold."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from deploy.cluster import Cluster
from target_system.signals import LogEvent, Metric, MetricType, Span, exporters
from tests.deploy.live import fetch

ORIGIN = frozenset({"component", "instance"})
COMMON_FIELDS = frozenset({"ts", "level", "event", *ORIGIN})
SCRAPED_AS = {"wait_sampler": "ledger"}
"""Where a component's series name another one; else they name it itself, with - for _."""
OF_MANY = frozenset({"cluster", "process", "prometheus"})
"""Components whose series are about others."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """`series`: (name, component, labels); `lines`: (event, component, fields); `spans`: (name, component)."""

    series: frozenset[tuple[str, str, frozenset[str]]]
    lines: frozenset[tuple[str, str, frozenset[str]]] = frozenset()
    spans: frozenset[tuple[str, str]] = frozenset()


def lacking(
    arrived: Arrived, metrics: Iterable[Metric], events: Iterable[LogEvent] = (), spans: Iterable[Span] = ()
) -> list[str]:
    """What is declared and did not arrive, or not as declared, as sentences."""
    found = [*_of_metrics(arrived, metrics), *_of_lines(arrived, events)]
    seen = arrived.spans
    return found + [f"span {s.name} of {s.component}: none" for s in spans if (s.name, s.component) not in seen]


def _of_metrics(arrived: Arrived, metrics: Iterable[Metric]) -> Iterator[str]:
    for metric in metrics:
        name = f"{metric.name}_bucket" if metric.type is MetricType.HISTOGRAM else metric.name
        wanted = SCRAPED_AS.get(metric.component, metric.component.replace("_", "-"))
        mine = [
            labels for n, of, labels in arrived.series if n == name and (metric.component in OF_MANY or of == wanted)
        ]
        if not mine:
            yield f"metric {name} of {wanted}: no series"
        declared = set(metric.labels) - ORIGIN
        is_own = metric not in exporters.METRICS  # what others export may say more
        wrong = [labels for labels in mine if (labels != declared if is_own else not declared <= labels)]
        if wrong and (is_own or len(wrong) == len(mine)):
            yield f"metric {name}: labels {sorted(wrong[0])} instead of {sorted(declared)}"


def _of_lines(arrived: Arrived, events: Iterable[LogEvent]) -> Iterator[str]:
    for event in events:
        wanted = event.component.replace("_", "-")
        mine = [fields for name, of, fields in arrived.lines if (name, of) == (event.name, wanted)]
        if not mine:
            yield f"log event {event.name} of {wanted}: no line"
        for fields in mine:
            if undeclared := fields - COMMON_FIELDS - set(event.fields):
                yield f"log event {event.name}: undeclared fields {sorted(undeclared)}"


def series(cluster: Cluster, since_s: float) -> frozenset[tuple[str, str, frozenset[str]]]:
    asked = urllib.parse.urlencode({"match[]": '{__name__=~".+"}', "start": since_s, "end": time.time()})
    found = fetch(f"http://{cluster.address('prometheus')}/api/v1/series?{asked}")["data"]
    return frozenset(
        (one["__name__"], one.get("component", ""), frozenset(one) - ORIGIN - {"__name__", "job", "le"})
        for one in found
    )


def exposed(cluster: Cluster, part: str) -> frozenset[tuple[str, str, frozenset[str]]]:
    """What a part of this name says itself, where no Prometheus asks it."""
    with urllib.request.urlopen(f"http://{cluster.address(part)}/metrics", timeout=5) as answer:
        found = text_string_to_metric_families(answer.read().decode())  # type: ignore[no-untyped-call]
    return frozenset(
        (sample.name, part, frozenset(sample.labels) - {"le"}) for each in found for sample in each.samples
    )


def lines(cluster: Cluster, events: Iterable[LogEvent], since_s: float) -> frozenset[tuple[str, str, frozenset[str]]]:
    """Of each event the last lines."""
    return frozenset(
        (event.name, component, frozenset(line))
        for event in events
        for component, line in _lines(cluster, event, since_s)
    )


def _lines(cluster: Cluster, event: LogEvent, since_s: float) -> Iterator[tuple[str, dict[str, Any]]]:
    asked = {"query": f'{{service_name=~".+"}} | event="{event.name}"', "start": int(since_s * 1e9), "limit": 50}
    url = f"http://{cluster.address('loki')}/loki/api/v1/query_range?{urllib.parse.urlencode(asked)}"
    for stream in fetch(url)["data"]["result"]:
        yield from ((stream["stream"]["service_name"], json.loads(line)) for _, line in stream["values"])
