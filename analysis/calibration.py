"""What a sealed run says of the cost of an order: the constants from which configurations not run yet are predicted.

Busy cores of a component are taken as `D X (1 + s h)`: the CPU time of an order grows with the busy share h of the
host, since the threads of a core share its units and caches; one s for all components. Background work is not told
apart: a component that a quota stops is as busy with much of it as with little. What an order sleeps in a commit is
Little's law on the sampled sessions; what else it waits without CPU is one delay, fitted to the run's throughputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from analysis.capacity import topology_of
from analysis.measured import Configuration, configurations
from analysis.saturation import ORDER_PATH, Load, loads
from analysis.validity import host_share
from analysis.waits import waits_of
from deploy.topology import Topology
from loadgen.record import Machine, Run

SLEEPS = frozenset({"IO", "LWLock", "IPC", "Timeout", "Lock"})
"""Wait types of an active session that is on no processor; "Client" is the gateway's time, not Postgres's."""
CONFIGURATIONS_MIN = 3
DILATION_MAX = 1.5
OWN = (*ORDER_PATH, "generator")
"""Components whose work grows with the orders; all others are taken to cost the same at any load."""


class PredictionError(Exception):
    """The run cannot carry the prediction that is asked of it: bad input, with the reason."""


@dataclass(frozen=True, slots=True)
class Point:
    """One configuration as measured. `busy`: component → busy cores; `other_cores`: not ours."""

    topology: Topology
    users: int
    think_s: float
    orders_per_s: float
    commands_per_order: float
    busy: Mapping[str, float]
    other_cores: float
    host_share: float
    sleep_s: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one component: CPU seconds an order on an idle host, and the relative error of that."""

    demand_s: float
    error: float


@dataclass(frozen=True, slots=True)
class Calibration:
    run: str
    machine: Machine
    points: tuple[Point, ...]
    costs: Mapping[str, Cost]
    dilation: float
    """s: by what share a full host lengthens the CPU time of an order."""
    sleep_s: float
    other_cores: float
    commands_per_order: float


def points(run: Run) -> list[Point]:
    """The closed-loop configurations that carried orders and have a topology and CPU times."""
    return [
        _point(run, each, found)
        for each in configurations(run)
        if each.orders and each.users and run.topologies[each.windows[0].name] and (found := loads(run, each))
    ]


def calibrate(run: str, machine: Machine, seen: Sequence[Point]) -> Calibration:
    """Raises PredictionError where the run's configurations do not determine the costs."""
    if len(seen) < CONFIGURATIONS_MIN:
        raise PredictionError(
            f"run {run}: {len(seen)} comparable closed-loop configurations with CPU times, {CONFIGURATIONS_MIN} are "
            "needed to tell what an order costs from noise; run a campaign that sweeps gateways or users"
        )
    found = optimize.minimize_scalar(
        lambda s: _misfit(seen, float(s)), bounds=(0, DILATION_MAX), method="bounded", options={"xatol": 1e-3}
    )
    dilation = float(found.x)
    return Calibration(
        run=run,
        machine=machine,
        points=tuple(seen),
        costs={name: _cost(seen, name, dilation) for name in _components(seen)},
        dilation=dilation,
        sleep_s=float(np.median([point.sleep_s for point in seen])),
        other_cores=float(np.median([point.other_cores for point in seen])),
        commands_per_order=float(np.mean([point.commands_per_order for point in seen])),
    )


def _point(run: Run, configuration: Configuration, found: Mapping[str, Load]) -> Point:
    rate = configuration.orders_per_s.value
    busy = {name: load.busy_cores.value for name, load in found.items() if name in OWN}
    share = host_share(run, configuration)
    waits = waits_of(run, configuration)
    asleep = sum(count for (kind, _), count in waits.sessions.items() if kind in SLEEPS)
    return Point(
        topology=topology_of(run, configuration.windows[0]),
        users=configuration.users,
        think_s=configuration.think_s,
        orders_per_s=rate,
        commands_per_order=configuration.commands_per_order,
        busy=busy,
        other_cores=max(0.0, share * run.machine.cores - sum(busy.values())),
        host_share=share,
        sleep_s=asleep / rate,
    )


def _components(seen: Sequence[Point]) -> list[str]:
    return [name for name in OWN if all(point.busy.get(name, 0.0) > 0 for point in seen)]


def _costs_s(seen: Sequence[Point], name: str, dilation: float) -> np.ndarray:
    """Of an order at each point, as on an idle host."""
    return np.array([p.busy[name] / p.orders_per_s / (1 + dilation * p.host_share) for p in seen])


def _misfit(seen: Sequence[Point], dilation: float) -> float:
    """Squares over all components, each counted by its share of the CPU: the small ones are mostly noise."""
    whole = sum(sum(point.busy.values()) for point in seen)
    return sum(
        float(np.var(np.log(_costs_s(seen, name, dilation)))) * sum(point.busy[name] for point in seen) / whole
        for name in _components(seen)
    )


def _cost(seen: Sequence[Point], name: str, dilation: float) -> Cost:
    logs = np.log(_costs_s(seen, name, dilation))
    return Cost(float(np.exp(logs.mean())), float(logs.std(ddof=1)) / math.sqrt(len(seen)))
