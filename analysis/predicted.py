"""Predictions as files: written and hashed before the measurement, compared with it afterwards.

`<first 12 digits of the hash>.json` holds `content` and the `sha256` over it, so a prediction edited afterwards is
found, and the manifest of the run that measures it names that hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.calibration import PredictionError, points
from analysis.predict import Prediction, Target
from deploy.topology import Topology
from loadgen.record import Run

FORMAT = 1
SHAPE = (
    "gateways.replicas", "gateways.cpu_cores", "gateways.ledger_pool_size", "ledger.shards", "ledger.cpu_cores",
    "ledger.write_path", "engine.cpu_cores", "redis.cpu_cores", "haproxy.cpu_cores",
)  # fmt: skip
"""What tells configurations apart: a run's configuration is a predicted one where all of these and the load agree."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`error`: |predicted / measured - 1| of throughput."""

    configuration: Mapping[str, Any]
    predicted_per_s: float
    low: float
    high: float
    measured_per_s: float
    predicted_ms: float
    measured_ms: float

    @property
    def error(self) -> float:
        return abs(self.predicted_per_s / self.measured_per_s - 1)

    @property
    def covered(self) -> bool:
        return self.low <= self.measured_per_s <= self.high


def shape(target: Target) -> dict[str, Any]:
    found: dict[str, Any] = {
        "users": target.users,
        "think_s": round(target.think_s, 6),
        "rate_per_s": target.rate_per_s,
    }
    for name in SHAPE:
        section, _, field = name.partition(".")
        found[name] = getattr(getattr(target.topology, section), field)
    return found


def document(run: Run, predictions: Sequence[Prediction]) -> dict[str, Any]:
    content = {
        "format": FORMAT,
        "run": run.id,
        "commit": run.commit,
        "predictions": [
            {
                "configuration": shape(each.target),
                "orders_per_s": {"value": each.orders_per_s, **asdict(each.interval)},
                "latency_ms": {"value": each.latency_ms, **asdict(each.latency_interval)},
                "binds": each.outcome.binds,
                "elasticity": dict(each.outcome.shares),
                "model_error": each.error,
            }
            for each in predictions
        ],
    }
    return {"content": content, "sha256": digest(content)}


def digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write(folder: Path, found: Mapping[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found['sha256'][:12]}.json"
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return path


def read(path: Path) -> dict[str, Any]:
    """Raises PredictionError where the file is none, or not as it was written."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        whole = found["sha256"] == digest(found["content"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PredictionError(f"{path}: no prediction ({error}); `lab predict RUN` writes one") from None
    if not whole:
        raise PredictionError(f"{path}: its content is not what was hashed; predict again, before measuring")
    return found


def curve(path: Path) -> dict[int, float]:
    """Concurrent commits → commits/s. Raises PredictionError where the file does not say so."""
    try:
        found = {int(n): float(rate) for n, rate in json.loads(path.read_bytes()).items()}
        if not found or min(found) < 1 or min(found.values()) <= 0:
            raise ValueError("numbers and rates are positive")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        wanted = 'write what `pgbench -c` measured as {"1": 900, "8": 3100}'
        raise PredictionError(f"{path}: no rates of concurrent commits ({error}); {wanted}") from None
    return found


def compared(found: Mapping[str, Any], run: Run) -> list[Comparison]:
    """Those of the run's configurations that were predicted; several predictions of one configuration all count."""
    measured = [(shape(Target(p.topology, p.users, p.think_s / p.commands_per_order)), p) for p in points(run)]
    return [
        Comparison(
            configuration=row["configuration"],
            predicted_per_s=row["orders_per_s"]["value"],
            low=row["orders_per_s"]["low"],
            high=row["orders_per_s"]["high"],
            measured_per_s=point.orders_per_s,
            predicted_ms=row["latency_ms"]["value"],
            measured_ms=1e3 * (point.users / point.orders_per_s - point.think_s) / point.commands_per_order,
        )
        for row in found["content"]["predictions"]
        for shaped, point in measured
        if shaped == row["configuration"]
    ]


def target(run: Run, changes: Mapping[str, Any], users: int | None, rate_per_s: float | None = None) -> Target:
    """The run's configuration that carried most, with changes by dotted name. Raises TopologyError, PredictionError."""
    seen = points(run)
    if not seen:
        raise PredictionError(f"run {run.id}: no closed-loop configuration with CPU times; predict from one that has")
    best = max(seen, key=lambda point: point.orders_per_s)
    topology: Topology = best.topology.with_overrides(changes)
    return Target(topology, users or best.users, best.think_s / best.commands_per_order, rate_per_s)


def scores(rows: Sequence[Comparison]) -> dict[str, Any]:
    """Of predictions against their measurements: errors of throughput, and how often and how wide the interval is."""
    errors = [row.error for row in rows]
    return {
        "configurations": len(rows),
        "median_error": round(float(np.median(errors)), 4),
        "p90_error": round(float(np.percentile(errors, 90)), 4),
        "interval_coverage": round(float(np.mean([row.covered for row in rows])), 4),
        "median_interval_width": round(float(np.median([(r.high - r.low) / r.predicted_per_s for r in rows])), 4),
        "rows": [{**asdict(row), "error": round(row.error, 4), "covered": row.covered} for row in rows],
    }
