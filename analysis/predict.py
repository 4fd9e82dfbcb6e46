"""Throughput and latency of a configuration that was not run, from what the orders of a run cost: written down before.

An exact closed network (`analysis.mva`): a station for each component of the order path, with the quota of the target
as its speed, less its background work; a shard is a station of its own that gets the orders of its symbols; commits
wait at a station for each shard that syncs in groups, on as many connections as there are, or one whose rate follows a
curve that pgbench measured. All processes share the host,
which bounds the whole. A prediction is refused where the model does not even fit the run that it comes from, and
beyond twice what that run measured.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis import mva, open_network
from analysis.calibration import Calibration, Point, PredictionError, calibrate, instances_of, points
from analysis.capacity import capacity_of
from analysis.finding import Interval
from analysis.saturation import ORDER_PATH
from deploy.topology import Topology
from loadgen.popularity import weights
from loadgen.record import Run

ERROR_MAX = 0.15
"""A model that misses the run's own throughputs by more (root mean square) is refused."""
REACH = 2.0
"""How many times the measured range a prediction may go beyond."""
HOST_FULL = 0.97
"""Share of the host's cores that processes get to use: the rest goes to switching between them."""
ROUNDS = 8
LEFT_MIN = 0.05
"""Share of its capacity that a component has for orders at least, whatever its background work."""
DELAYS_TRIED, AS_GOOD = 16, 1.05
FIXED = ("ledger.write_path", "ledger.disk_faults", "risk.portfolio", "gateways.signals", "limits.total_per_s")
"""Settings that change what an order costs: only configurations alike in them speak for a target."""


@dataclass(frozen=True, slots=True)
class Target:
    """`think_s` before each request, of which an order has `commands_per_order`. With `rate_per_s` (orders) it is an
    open loop: orders arrive whatever happens, and users and think time do not count."""

    topology: Topology
    users: int
    think_s: float
    rate_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the network carries; `shares`: station → elasticity of throughput in its capacity."""

    orders_per_s: float
    response_s: float
    shares: Mapping[str, float]

    @property
    def binds(self) -> str:
        return max(self.shares, key=lambda name: self.shares[name])


@dataclass(frozen=True, slots=True)
class Prediction:
    """`latency_ms`: mean of a request, order or cancel. `error`: of the model on the run's own configurations."""

    target: Target
    orders_per_s: float
    interval: Interval
    latency_ms: float
    latency_interval: Interval
    outcome: Outcome
    error: float


@dataclass(frozen=True, slots=True)
class Model:
    """A calibrated network. `delay_s`: time of an order that is neither CPU nor commit; `curve`: commits/s by n."""

    calibration: Calibration
    delay_s: float
    error: float
    curve: Mapping[int, float] | None

    def outcome(self, target: Target, other_cores: float | None = None) -> Outcome:
        others = self.calibration.other_cores if other_cores is None else other_cores
        return _solve(self.calibration, target, self.delay_s, others, self.curve)


def model_of(run: Run, like: Topology | None = None, curve: Mapping[int, float] | None = None) -> Model:
    """From the configurations of the run alike to `like` in what changes an order's cost. Raises PredictionError."""
    seen = points(run)
    alike = [point for point in seen if like is None or _fixed(point.topology) == _fixed(like)]
    if seen and not alike and like is not None:
        measured = _fixed(seen[0].topology)
        unknown = [f"{name}={value}" for name, value in _fixed(like).items() if measured[name] != value]
        raise PredictionError(
            f"run {run.id} measured nothing with {', '.join(unknown)}, and what an order costs there cannot be "
            "derived from other costs; predict from a run that has it"
        )
    return fitted(calibrate(run.id, run.machine, alike), curve)


def fitted(calibration: Calibration, curve: Mapping[int, float] | None = None) -> Model:
    """With the least delay that lets the network meet the run's own throughputs as well as any: where a component is
    full nearly all the time a delay makes no difference, and a great one must not be read out of noise."""

    def misses(delay_s: float) -> np.ndarray:
        return np.array([_miss(calibration, point, delay_s, curve) for point in calibration.points])

    longest_s = min(point.users / point.orders_per_s for point in calibration.points)
    tried = [0.0, *np.geomspace(1e-4, max(2e-4, longest_s), DELAYS_TRIED)]
    squares = [float(np.sum(misses(delay_s) ** 2)) for delay_s in tried]
    best = min(squares)
    delay_s = next(each for each, square in zip(tried, squares, strict=True) if square <= AS_GOOD * best)
    degrees = max(1, len(calibration.points) - 1)
    error = math.sqrt(float(np.sum(misses(delay_s) ** 2)) / degrees)
    return Model(calibration, delay_s, error, curve)


def predict(model: Model, target: Target) -> Prediction:
    """Raises PredictionError where the model fits poorly or the target lies beyond its reach."""
    if model.error > ERROR_MAX:
        raise PredictionError(
            f"run {model.calibration.run}: the model misses the run's own throughputs by {100 * model.error:.0f} % "
            f"(at most {100 * ERROR_MAX:.0f} % is trusted); something limits there that it does not know. "
            "`lab run --prove` says what"
        )
    try:
        outcome = model.outcome(target)
    except ValueError as error:
        raise PredictionError(f"run {model.calibration.run}: {error}") from None
    if reasons := list(_beyond(model, target, outcome)):
        raise PredictionError(f"run {model.calibration.run}: too far from what was measured: {'; '.join(reasons)}")
    half = _half_width(model, outcome)
    low, high = outcome.orders_per_s * math.exp(-half), outcome.orders_per_s * math.exp(half)
    method = f"errors of the demands and of the model on {len(model.calibration.points)} configurations, Student's t"
    commands = model.calibration.commands_per_order

    def latency_ms(rate: float) -> float:
        if target.rate_per_s is not None:
            return 1e3 * outcome.response_s / commands * outcome.orders_per_s / rate
        return max(0.0, 1e3 * (target.users / rate / commands - target.think_s))

    return Prediction(
        target=target,
        orders_per_s=outcome.orders_per_s,
        interval=Interval(low, high, method),
        latency_ms=latency_ms(outcome.orders_per_s),
        latency_interval=Interval(latency_ms(high), latency_ms(low), method),
        outcome=outcome,
        error=model.error,
    )


def _half_width(model: Model, outcome: Outcome) -> float:
    """Of ln X: each demand's error weighs by the elasticity of its station; the model's own error comes on top."""
    seen = model.calibration.points
    costs, shares = model.calibration.costs, defaultdict[str, float](float)
    for name, share in outcome.shares.items():
        shares[name.partition(" ")[0]] += share  # all shards have one and the same demand, and its error
    demands = [share * costs[name].error for name, share in shares.items() if name in costs]
    spread = math.hypot(model.error * math.sqrt(1 + 1 / len(seen)), *demands)
    return float(stats.t.ppf(0.975, max(1, len(seen) - 1))) * spread


def _beyond(model: Model, target: Target, outcome: Outcome) -> Iterator[str]:
    seen = model.calibration.points
    ranges = (
        ("gateways", target.topology.gateways.replicas, [point.topology.gateways.replicas for point in seen]),
        ("users", target.users if target.rate_per_s is None else seen[0].users, [point.users for point in seen]),
        ("orders/s", outcome.orders_per_s, [point.orders_per_s for point in seen]),
    )
    for what, asked, measured in ranges:
        low, high = min(measured), max(measured)
        if not low / REACH <= asked <= high * REACH:
            yield f"{asked:,.0f} {what}, with {low:,.0f} to {high:,.0f} measured and a factor {REACH:g} allowed"


def _fixed(topology: Topology) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in FIXED:
        section, _, field = name.partition(".")
        found[name] = getattr(getattr(topology, section), field)
    return found


def _miss(calibration: Calibration, point: Point, delay_s: float, curve: Mapping[int, float] | None) -> float:
    target = Target(point.topology, point.users, point.think_s / calibration.commands_per_order)
    outcome = _solve(calibration, target, delay_s, point.other_cores, curve)
    return math.log(point.orders_per_s / outcome.orders_per_s)


def _solve(
    calibration: Calibration, target: Target, delay_s: float, other_cores: float, curve: Mapping[int, float] | None
) -> Outcome:
    """The host's busy share lengthens the demands, and these set the busy share: solved by going round."""
    cores, costs = calibration.machine.cores, calibration.costs
    other_cores += sum(cost.background_cores * instances_of(target.topology, name) for name, cost in costs.items())
    thinking_s = target.think_s * calibration.commands_per_order
    work_s = sum(cost.demand_s for cost in costs.values())
    share, solution, bound = min(1.0, ((target.rate_per_s or 0.0) * work_s + other_cores) / cores), None, math.inf
    for _ in range(ROUNDS):
        stretch = 1 + calibration.dilation * share
        network = list(_stations(calibration, target, stretch, curve))
        if target.rate_per_s is not None:
            return _offered(network, target.rate_per_s, delay_s)
        solution = mva.solve(network, target.users, thinking_s + delay_s)
        bound = max(1e-9, HOST_FULL * cores - other_cores) / (work_s * (1 + calibration.dilation))
        rate = min(solution.throughput_per_s, bound)
        share = 0.5 * share + 0.5 * min(1.0, (other_cores + rate * work_s * stretch) / cores)
    assert solution is not None
    if bound < solution.throughput_per_s:
        return Outcome(bound, target.users / bound - thinking_s, {"host": 1.0})
    return Outcome(solution.throughput_per_s, solution.response_s + delay_s, dict(solution.elasticity))


def _offered(network: Sequence[mva.Station], rate_per_s: float, delay_s: float) -> Outcome:
    """Of an open loop; a station counts by its part of all that wait. ValueError where one cannot keep up."""
    found = open_network.solve(network, rate_per_s)
    whole = sum(found.queue.values())
    return Outcome(rate_per_s, found.response_s + delay_s, {name: count / whole for name, count in found.queue.items()})


def _stations(
    calibration: Calibration, target: Target, stretch: float, curve: Mapping[int, float] | None
) -> Iterator[mva.Station]:
    """Component, or "ledger 2" for one of several shards; "commit" sleeps."""
    unnamed = 1 - 1 / calibration.commands_per_order  # cancels
    shares = target.topology.shard_shares(weights(len(target.topology.symbols)), unnamed)
    for name in ORDER_PATH:
        if name not in calibration.costs:
            continue
        cost = calibration.costs[name]
        room = capacity_of(target.topology, calibration.machine, name)
        each = max(LEFT_MIN * room.each, room.each - cost.background_cores)
        if name != "ledger":
            yield bounded(name, cost.demand_s * stretch, room.instances, each)
            continue
        for shard, share in enumerate(shares, 1):
            yield bounded(f"ledger {shard}", cost.demand_s * stretch * share, 1, each)
    places = target.topology.gateways.replicas * target.topology.gateways.ledger_pool_size
    commit = calibration.commit
    for shard, share in enumerate(shares, 1):
        if curve:
            yield commits(f"commit {shard}", curve, share)
        elif commit:
            demand_s = commit.commits_per_order * commit.sync_s * share
            yield mva.Station(f"commit {shard}", demand_s, lambda n: commit.speed(n, places))


def bounded(name: str, demand_s: float, instances: int, each: float) -> mva.Station:
    """Instances that may use so many cores each. A quota is no slower processor: who comes alone is served at full
    speed until it is used up. So the more wait at an instance, the nearer its speed comes to the quota."""
    if each >= 1:
        return mva.servers(name, demand_s, each * instances)

    def speed(n: int) -> float:
        return min(n, instances) * (each + (1 - each) / max(1.0, n / instances))

    return mva.Station(name, demand_s, speed)


def commits(name: str, curve: Mapping[int, float], share: float = 1.0) -> mva.Station:
    """Postgres as a load-dependent station: its rate with n concurrent commits as measured, between the points by
    interpolation, beyond the last one flat."""
    numbers = sorted(curve)
    rates = [curve[n] for n in numbers]
    alone = float(np.interp(1, numbers, rates))
    return mva.Station(name, share / alone, lambda n: float(np.interp(n, numbers, rates)) / alone)
