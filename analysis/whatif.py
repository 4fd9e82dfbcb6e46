"""What binds next: the limit that a run's model names is lifted, and the model asked again, step by step.

Each step doubles the component that holds throughput most. The roadmap of the HFT document is put through the same
model; of either, what lies beyond the reach of a prediction is "model only", and without an interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.calibration import PredictionError
from analysis.cost import HFT_STAGES, per_million
from analysis.finding import Interval
from analysis.predict import Model, Outcome, Target, predict
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
    interval: Interval | None
    binds: str
    gain: float

    @property
    def status(self) -> str:
        return _status(self.interval)


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage of the document on this model; `measured` is the run's own figure where it has that configuration."""

    name: str
    claimed: tuple[int, int]
    modelled_per_s: float
    interval: Interval | None
    measured_per_s: float | None
    status: str
    dollars_per_million: tuple[float, float]


def next_limits(model: Model, start: Target) -> list[Step]:
    """The start, then one step for each limit lifted, until the host binds or what binds cannot be had twice.

    Raises PredictionError where the model does not even speak of the start.
    """
    predict(model, start)
    steps = [_step(model, "", start, None)]
    while len(steps) <= STEPS:
        last = steps[-1]
        lifted = _relieved(last.target, last.binds)
        if lifted is None:
            break
        steps.append(_step(model, RELIEF[last.binds], lifted, last))
    return steps


def roadmap(model: Model, start: Target) -> list[StageRow]:
    return [_stage(model, start, stage) for stage in HFT_STAGES]


def document(model: Model, start: Target) -> dict[str, Any]:
    """For a report: both lists as plain data. Raises PredictionError as `next_limits` does."""
    return {
        "steps": [
            {
                "lifted": step.lifted, "orders_per_s": step.orders_per_s, **_span(step.interval),
                "status": step.status, "binds": step.binds, "gain": step.gain,
            }
            for step in next_limits(model, start)
        ],
        "roadmap": [
            {
                "stage": row.name, "claimed": list(row.claimed), "modelled_per_s": row.modelled_per_s,
                **_span(row.interval), "measured_per_s": row.measured_per_s, "status": row.status,
                "dollars_per_million": list(row.dollars_per_million),
            }
            for row in roadmap(model, start)
        ],
    }  # fmt: skip


def _step(model: Model, lifted: str, target: Target, last: Step | None) -> Step:
    outcome, interval = _asked(model, target)
    gain = outcome.orders_per_s / last.orders_per_s if last else 1.0
    return Step(lifted, target, outcome.orders_per_s, interval, outcome.binds.partition(" ")[0], gain)


def _asked(model: Model, target: Target) -> tuple[Outcome, Interval | None]:
    """What the network carries; no interval beyond the reach of a prediction."""
    try:
        found = predict(model, target)
    except PredictionError:
        return model.outcome(target), None
    return found.outcome, found.interval


def _status(interval: Interval | None) -> str:
    return "predicted" if interval else "model only"


def _span(interval: Interval | None) -> dict[str, float | None]:
    return {"low": interval.low if interval else None, "high": interval.high if interval else None}


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
    outcome, interval = _asked(model, target)
    dollars = tuple(per_million(price, measured or outcome.orders_per_s) for price in stage.roadmap)
    return StageRow(
        name=stage.name,
        claimed=stage.orders_per_s,
        modelled_per_s=outcome.orders_per_s,
        interval=interval,
        measured_per_s=measured,
        status=_status(interval) if measured is None else "measured",
        dollars_per_million=(dollars[0], dollars[1]),
    )


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
