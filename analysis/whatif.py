"""What binds next: the limit that a run's model names is lifted, and the model asked again, step by step.

Each step doubles the component that holds throughput most. The roadmap of the HFT document is put through the same
model; what lies beyond the reach of a prediction is shown as "model only", and without an interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.calibration import PredictionError
from analysis.cost import HFT_STAGES, per_million
from analysis.predict import Model, Target, predict
from analysis.predicted import shape
from deploy.topology import Topology, TopologyError

STEPS = 4
LIFTED_MAX = 8
RELIEF: Mapping[str, str] = {
    "gateway": "gateways.replicas", "ledger": "ledger.shards", "commit": "ledger.shards",
    "engine": "engine.cpu_cores", "redis": "redis.cpu_cores", "haproxy": "haproxy.cpu_cores",
}  # fmt: skip
"""Component that binds → what of the topology is doubled for it."""


@dataclass(frozen=True, slots=True)
class Step:
    """`gain`: orders/s after the step over those before it; `lifted`: what was doubled, "" for the start."""

    lifted: str
    target: Target
    orders_per_s: float
    binds: str
    gain: float


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage of the document on this model; `measured` is the run's own figure where it has that configuration."""

    name: str
    claimed: tuple[int, int]
    modelled_per_s: float
    low: float | None
    high: float | None
    measured_per_s: float | None
    status: str
    dollars_per_million: tuple[float, float]


def next_limits(model: Model, start: Target) -> list[Step]:
    """The start, then one step for each limit lifted, until the host binds or what binds cannot be had twice."""
    outcome = model.outcome(start)
    steps = [Step("", start, outcome.orders_per_s, outcome.binds.partition(" ")[0], 1.0)]
    while len(steps) <= STEPS:
        last = steps[-1]
        lifted = _relieved(last.target, last.binds)
        if lifted is None:
            break
        outcome = model.outcome(lifted)
        gain = outcome.orders_per_s / last.orders_per_s
        steps.append(Step(RELIEF[last.binds], lifted, outcome.orders_per_s, outcome.binds.partition(" ")[0], gain))
    return steps


def roadmap(model: Model, start: Target) -> list[StageRow]:
    return [_stage(model, start, stage) for stage in HFT_STAGES]


def document(model: Model, start: Target) -> dict[str, Any]:
    """For a report: both lists as plain data."""
    return {
        "steps": [
            {"lifted": s.lifted, "orders_per_s": s.orders_per_s, "binds": s.binds, "gain": s.gain}
            for s in next_limits(model, start)
        ],
        "roadmap": [
            {
                "stage": row.name, "claimed": list(row.claimed), "modelled_per_s": row.modelled_per_s, "low": row.low,
                "high": row.high, "measured_per_s": row.measured_per_s, "status": row.status,
                "dollars_per_million": list(row.dollars_per_million),
            }
            for row in roadmap(model, start)
        ],
    }  # fmt: skip


def _relieved(target: Target, binds: str) -> Target | None:
    """None where nothing of the topology relieves it: the host, or a component without a quota."""
    name = RELIEF.get(binds)
    if name is None:
        return None
    section, _, field = name.partition(".")
    now = getattr(getattr(target.topology, section), field)
    if now is None or (field in ("replicas", "shards") and 2 * now > LIFTED_MAX):
        return None
    try:
        return Target(target.topology.with_overrides({name: 2 * now}), target.users, target.think_s)
    except TopologyError:
        return None


def _stage(model: Model, start: Target, stage: Any) -> StageRow:
    gateways = max(stage.gateways)
    topology = _sized(start.topology, gateways, stage.shards)
    target = Target(topology, start.users, start.think_s)
    measured = _measured(model, target)
    low = high = None
    try:
        found = predict(model, target)
        rate, low, high, status = found.orders_per_s, found.interval.low, found.interval.high, "predicted"
    except PredictionError:
        rate, status = model.outcome(target).orders_per_s, "model only"
    if measured is not None:
        status = "measured"
    carried = measured or rate
    dollars = tuple(per_million(price, carried) for price in stage.roadmap)
    return StageRow(stage.name, stage.orders_per_s, rate, low, high, measured, status, (dollars[0], dollars[1]))


def _sized(topology: Topology, gateways: int, shards: int) -> Topology:
    """A pool that leaves the ledger room for so many gateways."""
    pool = max(1, min(topology.gateways.ledger_pool_size, (topology.ledger.connections_max - 10) // gateways))
    return topology.with_overrides(
        {"gateways.replicas": gateways, "gateways.ledger_pool_size": pool, "ledger.shards": shards}
    )


def _measured(model: Model, target: Target) -> float | None:
    wanted = shape(target)
    for point in model.calibration.points:
        thought = point.think_s / point.commands_per_order
        if shape(Target(point.topology, point.users, thought)) == wanted:
            return point.orders_per_s
    return None
