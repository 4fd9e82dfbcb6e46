"""What the cluster said of itself during a window: every raw sample of every declared metric, and facts of its logs.

Raw, not rated or averaged: what is computed from them is the analysis's business, and can be computed again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from target_system.signals import METRICS, Metric, MetricType

NAMES_PER_QUERY = 40
QUERY_DEADLINE_S = 30.0
SETTLE_S = 0.3
"""How long a scrape may take to be stored."""


class CollectError(Exception):
    """Prometheus did not give what was asked; the text says what it said."""


def series(prometheus: str, window: str, from_ns: int, until_ns: int) -> Iterator[dict[str, Any]]:
    """Rows of `series.parquet`, once the last scrape before `until_ns` is stored; `prometheus` is its base URL."""
    time.sleep(max(until_ns / 1e9 + SETTLE_S - time.time(), 0))
    names = [name for metric in METRICS.values() for name in sample_names(metric)]
    with httpx.Client(base_url=prometheus, timeout=QUERY_DEADLINE_S, trust_env=False) as client:
        for start in range(0, len(names), NAMES_PER_QUERY):
            for found in _samples(client, names[start : start + NAMES_PER_QUERY], from_ns, until_ns):
                yield from _rows(window, found)


def sample_names(metric: Metric) -> tuple[str, ...]:
    """The names under which Prometheus stores it."""
    if metric.type is MetricType.HISTOGRAM:
        return (f"{metric.name}_bucket", f"{metric.name}_sum", f"{metric.name}_count")
    return (metric.name,)


def _samples(client: httpx.Client, names: list[str], from_ns: int, until_ns: int) -> list[dict[str, Any]]:
    """Series with their samples: a range vector asked for at one instant is what was scraped, nothing interpolated."""
    length_ms = (until_ns - from_ns) // 1_000_000
    query = f'{{__name__=~"{"|".join(names)}"}}[{length_ms}ms]'
    try:
        answer = client.post("/api/v1/query", data={"query": query, "time": f"{until_ns / 1e9:.3f}"})
        document = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise CollectError(f"Prometheus at {client.base_url} did not answer: {error}") from error
    if document.get("status") != "success":
        raise CollectError(f"Prometheus refused {query[:80]}...: {document.get('error')}")
    result: list[dict[str, Any]] = document["data"]["result"]
    return result


def _rows(window: str, found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    labels = dict(found["metric"])
    common = {
        "window": window,
        "metric": labels.pop("__name__"),
        "component": labels.pop("component", ""),
        "instance": labels.pop("instance", ""),
        "labels": json.dumps(labels, sort_keys=True),
    }
    for t_s, value in found["values"]:
        yield {**common, "t_ns": round(t_s * 1000) * 1_000_000, "value": float(value)}


def logs(folder: Path) -> dict[str, dict[str, Any]]:
    """Component → lines, bytes and hash of its raw log: enough to tell whether a log kept elsewhere is this run's."""
    return {path.stem: _log_facts(path) for path in sorted(folder.glob("*")) if path.is_file()}


def _log_facts(path: Path) -> dict[str, Any]:
    digest, lines, size = hashlib.sha256(), 0, 0
    with path.open("rb") as file:
        while block := file.read(1024**2):
            digest.update(block)
            lines += block.count(b"\n")
            size += len(block)
    return {"lines": lines, "bytes": size, "sha256": digest.hexdigest()}
