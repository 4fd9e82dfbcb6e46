"""How busy each component's processors are against what it may use: the first evidence for a limit, and never the last.

Capacity is what a component could turn into work: its quota, or as many cores as it has threads for, or the machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis import intervals
from analysis.capacity import Capacity, capacity
from analysis.finding import Bearing, Figure, Finding, Mechanism, in_words, percent
from analysis.measured import Configuration, configurations, orders_by_second
from analysis.memo import remembered
from analysis.series import counter, increase, samples_of
from loadgen.record import Run, Window

CPU = "cluster_cpu_seconds_total"
PERIODS, THROTTLED = "cluster_cpu_periods_total", "cluster_cpu_throttled_periods_total"
ORDER_PATH = ("haproxy", "gateway", "engine", "ledger", "redis")
"""Components that an order passes before its acknowledgement, in that order."""
SATURATED = 0.85
"""From here on a component is a suspect: a queue before an 85 % busy server is already some six times the service."""
IDLE = 0.70
STOPPED = 0.5
"""Share of its quota periods from which on it is the quota that stops a component, however full the host may be."""


@dataclass(frozen=True, slots=True)
class Load:
    """CPU of one component in one configuration."""

    component: str
    busy_cores: Figure
    demand_us: Figure
    """CPU time for each completed order."""
    capacity: Capacity
    busiest_share: float
    """Utilisation of its busiest instance; far above the mean where work is spread unevenly."""
    throttled_share: float | None
    """Share of its quota periods in which the quota ran out; None without a quota."""

    @property
    def utilisation(self) -> float:
        return self.busy_cores.value / self.capacity.cores

    @property
    def figures(self) -> tuple[Figure, ...]:
        cores, interval = self.capacity.cores, self.busy_cores.interval
        scaled = intervals.scaled(interval, 100 / cores) if interval else None
        busy = Figure(f"CPU of {in_words(self.component)}", 100 * self.utilisation, f"% of {self.capacity}", scaled)
        if self.throttled_share is None:
            return (busy, self.demand_us)
        share = Figure(f"quota periods that stopped {in_words(self.component)}", 100 * self.throttled_share, "%")
        return (busy, share, self.demand_us)


def saturation(run: Run) -> list[Finding]:
    found = [
        _judged(load, configuration)
        for configuration in configurations(run)
        for load in loads(run, configuration).values()
        if load.component in ORDER_PATH
    ]
    return found or [
        Finding(
            claim="No CPU time of the components was recorded",
            component="cluster",
            mechanism=Mechanism.CPU,
            status=Bearing.MISSING,
            doubt="Without it no component's CPU can be suspected or cleared.",
            next_step="See that Prometheus scrapes the supervisor's own metrics, and run the campaign again.",
        )
    ]


@remembered
def loads(run: Run, configuration: Configuration) -> dict[str, Load]:
    """Component → its CPU, those of the order path first; empty where nothing was recorded."""
    busy: dict[str, list[dict[str, np.ndarray]]] = {}
    for window in configuration.windows:
        for component, instances in _busy_by_second(run, window).items():
            busy.setdefault(component, []).append(instances)
    orders = [orders_by_second(run, window) for window in configuration.windows]
    rank = {component: i for i, component in enumerate(ORDER_PATH)}
    return {
        component: _load(run, configuration, component, busy[component], orders)
        for component in sorted(busy, key=lambda name: (rank.get(name, len(rank)), name))
        if len(busy[component]) == len(orders)
    }


def _busy_by_second(run: Run, window: Window) -> dict[str, dict[str, np.ndarray]]:
    """Component → instance → busy core-seconds in each second of the measured interval."""
    samples = samples_of(run, CPU, window)
    found: dict[str, dict[str, np.ndarray]] = {}
    for (component, instance), rows in samples.groupby(["component", "instance"]):
        if len(rows) > 1:
            found.setdefault(str(component), {})[str(instance)] = increase(rows, window)
    return found


def _load(
    run: Run, configuration: Configuration, component: str, busy: list[dict[str, np.ndarray]], orders: list[np.ndarray]
) -> Load:
    whole = [np.sum(list(instances.values()), axis=0) for instances in busy]
    mean = float(np.mean([seconds.mean() for seconds in whole]))
    demand = 1e6 * sum(float(seconds.sum()) for seconds in whole) / max(1.0, sum(float(o.sum()) for o in orders))
    spread = intervals.of_ratios(whole, orders) if all(o.sum() for o in orders) else None
    seen = sum(1 for seconds in busy[0].values() if seconds.any())
    room = capacity(run, configuration.windows[0], component, max(1, seen))
    busiest = max(float(seconds.mean()) for instances in busy for seconds in instances.values())
    return Load(
        component=component,
        busy_cores=Figure(f"busy cores of {in_words(component)}", mean, "cores", intervals.of_windows(whole)),
        demand_us=Figure(
            f"CPU time of {in_words(component)} for each order",
            demand,
            "µs",
            intervals.scaled(spread, 1e6) if spread else None,
        ),
        capacity=room,
        busiest_share=busiest / room.each,
        throttled_share=_throttled(run, configuration, component),
    )


def _throttled(run: Run, configuration: Configuration, component: str) -> float | None:
    of = [counter(run, PERIODS, window, component) for window in configuration.windows]
    stopped = [counter(run, THROTTLED, window, component) for window in configuration.windows]
    periods = sum(float(part.sum()) for part in of if part is not None)
    return sum(float(part.sum()) for part in stopped if part is not None) / periods if periods else None


def _judged(load: Load, configuration: Configuration) -> Finding:
    share = load.utilisation
    is_stopped = (load.throttled_share or 0.0) >= STOPPED
    suspected = share >= SATURATED or is_stopped
    cleared = share < IDLE and load.busiest_share < SATURATED
    claim = f"CPU of {in_words(load.component)}: {percent(share)} of {load.capacity}"
    if load.busiest_share > 1.2 * share:
        claim += f", its busiest instance {percent(load.busiest_share)}"
    return Finding(
        claim=claim,
        component=load.component,
        mechanism=Mechanism.QUOTA if is_stopped else Mechanism.CPU,
        status=Bearing.SUSPECTED if suspected else Bearing.CLEARED if cleared else Bearing.NOTED,
        configuration=configuration.name,
        evidence=load.figures,
        doubt="Busy is not yet the limit: only more capacity for it, and more throughput after that, would prove it."
        if suspected
        else "",
        next_step=_relief(load) if suspected else "",
    )


def _relief(load: Load) -> str:
    if load.component == "gateway":
        return "Give the gateways more: another replica, or a larger quota, and see whether throughput follows."
    return f"Give {in_words(load.component)} more CPU, all else equal, and see whether throughput follows."
