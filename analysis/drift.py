"""What grows without the load growing: a leak or a drift, found over a long window by a slope and not by the eye.

Memory and CPU of every part, latency and queues in even stretches of the measured part; of each the slope of Theil and
Sen (Sen 1968, Journal of the American Statistical Association 63) with its interval, which outliers do not move.
Stretches are long, so that neighbours hardly depend on each other. A slope counts only where its whole interval lies
above zero *and* what it adds over the window matters, for in an hour even an innocent slope can be told from zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.finding import Bearing, Figure, Finding, Interval, Mechanism
from analysis.measured import is_moving, latencies_by_second
from analysis.saturation import CPU
from analysis.series import SECOND_NS, gauge, increase, inside, samples_of
from loadgen.record import Run, Window

STRETCHES = 24
STRETCH_MIN_S = 2.5
LEVEL = 0.99
"""Of each slope's interval; a run asks after a dozen of them."""
GROWTH_MIN = 0.10
"""Of the first value, over the window."""
MEMORY_MIN_MB = 4.0
LATENCY_MIN_MS = 1.0
QUEUE_MIN = 5.0
CPU_MIN_CORES = 0.05
MEMORY = "cluster_memory_bytes"
QUEUES = {
    "gateway_orders_in_flight": "number of orders in the gateways",
    "gateway_ledger_waiters": "queue for a ledger connection",
    "engine_queue_depth_commands": "engine's queue",
    "haproxy_backend_current_queue": "queue for a gateway",
}
"""Gauge → how it is called in a sentence."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A figure over the window: by how much its slope grows it, and by how much at least for it to matter."""

    name: str
    component: str
    unit: str
    first: float
    growth: float
    interval: Interval
    matters_from: float

    @property
    def is_found(self) -> bool:
        return self.interval.low > 0 and self.growth >= max(self.matters_from, GROWTH_MIN * self.first)


def drift(run: Run) -> list[Finding]:
    """Findings for each window that is long enough to say something, of a load that goes nowhere itself."""
    if is_moving(run) or run.campaign.get("faults"):
        return []
    return [
        _finding(window, trend)
        for window in run.windows
        if window.duration_s >= STRETCHES * STRETCH_MIN_S
        for trend in trends(run, window)
    ]


def trends(run: Run, window: Window) -> list[Trend]:
    """Of everything that was sampled in enough stretches of the window."""
    searched = (*_memory(run, window), *_cpu(run, window), *_queues(run, window), *_latency(run, window))
    found = (_trend(window, series) for series in searched)
    return [trend for trend in found if trend is not None]


@dataclass(frozen=True, slots=True)
class _Series:
    name: str
    component: str
    unit: str
    matters_from: float
    times_ns: np.ndarray
    values: np.ndarray


def _memory(run: Run, window: Window) -> Iterator[_Series]:
    samples = inside(samples_of(run, MEMORY, window), window)
    for (component, instance), rows in samples.groupby(["component", "instance"]):
        times, values = rows["t_ns"].to_numpy(float), rows["value"].to_numpy(float) / 1e6
        yield _Series(f"memory of {instance}", str(component), "MB", MEMORY_MIN_MB, times, values)


def _cpu(run: Run, window: Window) -> Iterator[_Series]:
    samples = samples_of(run, CPU, window)
    for (component, instance), rows in samples.groupby(["component", "instance"]):
        if len(rows) > 1:
            cores = increase(rows, window)
            times = window.measured_from_ns + SECOND_NS * np.arange(len(cores), dtype=float)
            yield _Series(f"CPU of {instance}", str(component), "cores", CPU_MIN_CORES, times, cores)


def _queues(run: Run, window: Window) -> Iterator[_Series]:
    """All instances of a component together, though each is scraped at a moment of its own."""
    for metric, name in QUEUES.items():
        for component in samples_of(run, metric, window)["component"].unique():
            values = gauge(run, metric, window, component)
            if values is not None:
                times = np.linspace(window.measured_from_ns, window.measured_until_ns, len(values), endpoint=False)
                yield _Series(name, str(component), "", QUEUE_MIN, times, values)


def _latency(run: Run, window: Window) -> Iterator[_Series]:
    medians = [float(np.median(each)) / 1e6 if len(each) else np.nan for each in latencies_by_second(run, window)]
    values = np.array(medians)
    times = window.measured_from_ns + SECOND_NS * np.arange(len(values), dtype=float)
    answered = ~np.isnan(values)
    yield _Series("median latency", "order path", "ms", LATENCY_MIN_MS, times[answered], values[answered])


def _trend(window: Window, series: _Series) -> Trend | None:
    """None where too little was sampled."""
    edges = np.linspace(window.measured_from_ns, window.measured_until_ns, STRETCHES + 1)
    which = np.digitize(series.times_ns, edges) - 1
    means = [float(series.values[which == at].mean()) for at in range(STRETCHES) if (which == at).any()]
    if len(means) < STRETCHES // 2:
        return None
    slope, _, low, high = stats.theilslopes(means, alpha=LEVEL)
    steps = len(means) - 1
    method = f"Theil and Sen's slope over {len(means)} stretches, {LEVEL:.0%}"
    return Trend(
        name=series.name,
        component=series.component,
        unit=series.unit,
        first=float(np.median(means[:3])),
        growth=float(slope) * steps,
        interval=Interval(float(low) * steps, float(high) * steps, method),
        matters_from=series.matters_from,
    )


def _finding(window: Window, trend: Trend) -> Finding:
    grown = f"{trend.growth:+,.3g} {trend.unit}".strip()
    minutes = window.duration_s / 60
    return Finding(
        claim=f"The {trend.name} {'grew' if trend.is_found else 'did not drift'}: {grown} in {minutes:.3g} minutes",
        component=trend.component,
        mechanism=Mechanism.DRIFT,
        status=Bearing.SUSPECTED if trend.is_found else Bearing.CLEARED,
        configuration=window.configuration,
        evidence=(Figure(f"growth of the {trend.name}", trend.growth, trend.unit, trend.interval),),
        doubt="It may level off later: caches fill, too." if trend.is_found else "",
        next_step="Load longer, and see whether it goes on; then look at what the part keeps."
        if trend.is_found
        else "",
    )
