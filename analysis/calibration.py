"""What a sealed run says of the cost of an order: the constants from which configurations not run yet are predicted.

Busy cores of a component are taken as `n B + D X (1 + s h)`: n instances with background work B each, and D an order.
The CPU time of an order grows with the busy share h of the host, since the threads of a core share its units and
caches; one s for all components. B and D can be told apart only where the run measured light loads as well as heavy
ones. What an order waits without CPU is one delay, fitted to the run's throughputs, and the commit.

A commit that finds a sync under way waits for the rest of that and for its own. A session that comes back at once finds
the next sync just begun, so with two sessions and more each holds its connection for two syncs (`Commit`).
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
from analysis.waits import rate_of, waits_of
from deploy.topology import Topology
from loadgen.record import Machine, Run

COMMITS = "pg_stat_database_xact_commit"
CONFIGURATIONS_MIN = 3
APART = 2.0
"""Heaviest over lightest load of an instance from which on its work without orders is told from that for orders."""
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
    commit: Commit | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """`sync_s`: one sync of the WAL."""

    sync_s: float
    commits_per_order: float

    def speed(self, sessions: int, places: float) -> float:
        """Commits in the time of a sync, with so many sessions on so many connections."""
        return max(1.0, min(float(sessions), places) / 2)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one component: CPU seconds an order on an idle host, the relative error of that, and the cores that each
    instance needs without any order."""

    demand_s: float
    error: float
    background_cores: float = 0.0


@dataclass(frozen=True, slots=True)
class Calibration:
    run: str
    machine: Machine
    points: tuple[Point, ...]
    costs: Mapping[str, Cost]
    dilation: float
    """s: by what share a full host lengthens the CPU time of an order."""
    commit: Commit | None
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
        commit=_usual_commit([point.commit for point in seen if point.commit]),
        other_cores=min(point.other_cores for point in seen),  # what else ran on the machine is not the target's
        commands_per_order=float(np.mean([point.commands_per_order for point in seen])),
    )


def _point(run: Run, configuration: Configuration, found: Mapping[str, Load]) -> Point:
    rate = configuration.orders_per_s.value
    busy = {name: load.busy_cores.value for name, load in found.items() if name in OWN}
    share = host_share(run, configuration)
    return Point(
        topology=topology_of(run, configuration.windows[0]),
        users=configuration.users,
        think_s=configuration.think_s,
        orders_per_s=rate,
        commands_per_order=configuration.commands_per_order,
        busy=busy,
        other_cores=max(0.0, share * run.machine.cores - sum(busy.values())),
        host_share=share,
        commit=_commit(run, configuration),
    )


def _commit(run: Run, configuration: Configuration) -> Commit | None:
    """From the syncs and the commits; None where one of them is not known."""
    rate = configuration.orders_per_s.value
    seen, commits = waits_of(run, configuration), rate_of(run, configuration, COMMITS)
    if not seen.syncs_per_s or not seen.syncing_share or not commits:
        return None
    return Commit(seen.syncing_share / seen.syncs_per_s, min(commits / rate, configuration.commands_per_order))


def _usual_commit(seen: Sequence[Commit]) -> Commit | None:
    if not seen:
        return None
    return Commit(
        *(float(np.median([getattr(each, name) for each in seen])) for name in ("sync_s", "commits_per_order"))
    )


def _components(seen: Sequence[Point]) -> list[str]:
    return [name for name in OWN if all(point.busy.get(name, 0.0) > 0 for point in seen)]


def instances_of(topology: Topology, component: str) -> int:
    return {"gateway": topology.gateways.replicas, "ledger": topology.ledger.shards}.get(component, 1)


def _fit(seen: Sequence[Point], name: str, dilation: float) -> tuple[float, float, np.ndarray]:
    """Background of an instance (cores), CPU time of an order (s), and what each point misses of it (relative).

    Least squares of the relative errors; neither is negative. Background work is taken to be none where the load of an
    instance hardly differed: then nothing tells the two apart.
    """
    busy = np.array([point.busy[name] for point in seen])
    each = np.array([point.orders_per_s / instances_of(point.topology, name) for point in seen])
    columns = np.array([
        [instances_of(p.topology, name), p.orders_per_s * (1 + dilation * p.host_share)] for p in seen
    ])  # fmt: skip
    if each.max() < APART * each.min():
        columns[:, 0] = 0.0
    found, _ = optimize.nnls(columns / busy[:, None], np.ones(len(seen)))
    return float(found[0]), float(found[1]), columns @ found / busy - 1


def _misfit(seen: Sequence[Point], dilation: float) -> float:
    """Squares over all components, each counted by its share of the CPU: the small ones are mostly noise."""
    whole = sum(sum(point.busy.values()) for point in seen)
    return sum(
        float(np.mean(_fit(seen, name, dilation)[2] ** 2)) * sum(point.busy[name] for point in seen) / whole
        for name in _components(seen)
    )


def _cost(seen: Sequence[Point], name: str, dilation: float) -> Cost:
    background, demand_s, misses = _fit(seen, name, dilation)
    spread = float(np.sqrt(np.sum(misses**2) / max(1, len(seen) - 2)))
    return Cost(max(demand_s, 1e-9), spread / math.sqrt(len(seen)), background)
