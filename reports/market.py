"""What those knew who watched the market beside the load, and what they cost: one row a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hdrh.histogram import HdrHistogram

from analysis import measured, saturation
from analysis.measured import Configuration
from loadgen.record import Run

WAYS = {"by stream": "GET /v1/stream", "by polling": "GET /v1/book/{symbol}"}
SERVERS = ("haproxy", "gateway", "market-data")
"""Components that answer those who watch."""


def market(run: Run, configurations: Sequence[Configuration]) -> list[dict[str, Any]]:
    """Empty where nobody watched. `age_ms`: from the receipt of a trade's order to when a client knew of the trade."""
    rows = [_row(run, configuration) for configuration in configurations]
    return rows if any(row["way"] for row in rows) else []


def _row(run: Run, configuration: Configuration) -> dict[str, Any]:
    way, ages = _watched(run, configuration)
    busy = saturation.loads(run, configuration)
    cores = {name: busy[name].busy_cores.value for name in SERVERS if name in busy}
    orders = measured.latency(run, configuration)
    return {
        "configuration": configuration.name,
        "way": way,
        "known_per_s": ages.get_total_count() / configuration.measured_s if ages else 0.0,
        "age_ms": {f"p{q}": ages.get_value_at_percentile(q) / 1e6 for q in (50, 99)} if ages else None,
        "order_p99_ms": orders.get_value_at_percentile(99) / 1e6 if orders.get_total_count() else None,
        "busy_cores": cores,
        "busy_cores_together": sum(cores.values()),
    }


def _watched(run: Run, configuration: Configuration) -> tuple[str, HdrHistogram] | tuple[None, None]:
    """How the market was watched, and the ages (ns) of what was seen."""
    for way, endpoint in WAYS.items():
        ages = measured.latency(run, configuration, "age", endpoint)
        if ages.get_total_count():
            return way, ages
    return None, None
