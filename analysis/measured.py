"""What each configuration carried: orders per second with its interval, latencies, errors. Facts, no judgement yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from hdrh.histogram import HdrHistogram

from analysis import intervals
from analysis.finding import Figure, Interval
from analysis.memo import remembered
from analysis.series import seconds_of
from loadgen.record import Run, Window, new_histogram

ORDER = "POST /v1/orders"
PERCENTILES = (50.0, 90.0, 99.0, 99.9)
BOOTSTRAP_DRAWS = 400
MOVING = frozenset({"ramp", "step", "spike"})
"""Arrivals whose rate changes within a window on purpose: throughput, latency and queues may well follow it."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """All repetitions of one set of parameters. An open loop offers `rate_per_s`; a closed one has None there."""

    name: str
    parameters: Mapping[str, Any]
    windows: tuple[Window, ...]
    orders_per_s: Figure
    """New orders answered "ok"; the cancels of the mix are counted in `commands_per_order`."""
    commands_per_order: float
    orders: int
    outcomes: Mapping[str, int]
    """Every new order and cancel that ended in the measured intervals, by how: for rates."""
    fates: Mapping[str, int]
    """Every one that was due in them, by how it ended then or later: for shares."""

    @property
    def users(self) -> int:
        return self.windows[0].users

    @property
    def think_s(self) -> float:
        """Think time for each order: a user that also cancels thinks more than once an order."""
        return self.windows[0].think_time_s * self.commands_per_order

    @property
    def rate_per_s(self) -> float | None:
        return self.windows[0].rate_per_s

    @property
    def measured_s(self) -> float:
        return sum(window.duration_s for window in self.windows)

    @property
    def errors(self) -> dict[str, int]:
        return {outcome: count for outcome, count in self.fates.items() if outcome != "ok"}

    @property
    def error_share(self) -> float:
        return sum(self.errors.values()) / max(1, sum(self.fates.values()))


def is_moving(run: Run) -> bool:
    return (run.campaign["load"].get("arrivals") or {}).get("kind") in MOVING


@remembered
def configurations(run: Run) -> list[Configuration]:
    return [_configuration(run, name, windows) for name, windows in run.configurations().items()]


@remembered
def orders_by_second(run: Run, window: Window) -> np.ndarray:
    """New orders answered "ok" in each second of the measured interval."""
    acks = run.acks
    done = acks[(acks["window"] == window.name) & (acks["kind"] == "new") & (acks["outcome"] == "ok")]
    counts, _ = np.histogram(done["answered_ns"].to_numpy(), bins=seconds_of(window))
    return counts.astype(float)


@remembered
def latency(
    run: Run,
    configuration: Configuration,
    measure: str = "latency",
    endpoint: str | None = ORDER,
    outcome: str | None = "ok",
) -> HdrHistogram:
    """Latencies (ns) of the configuration, its repetitions merged; None stands for every endpoint or outcome."""
    merged = new_histogram()
    for window in configuration.windows:
        merged.add(run.latency(window, endpoint, outcome, measure))
    return merged


@remembered
def percentile_interval(run: Run, configuration: Configuration, percentile: float) -> Interval | None:
    """Block bootstrap of a percentile (ms): windows are drawn, and in them whole seconds, whose orders share their
    luck."""
    by_window = [
        [block for block in latencies_by_second(run, window) if len(block)] for window in configuration.windows
    ]
    blocks = [block for each in by_window for block in each]
    if len(blocks) < 2 * intervals.BATCHES or not all(by_window):
        return None
    order = np.argsort(np.concatenate(blocks))
    values = np.concatenate(blocks)[order]
    block_of = np.repeat(np.arange(len(blocks)), [len(block) for block in blocks])[order]
    found = []
    for draw in intervals.resampled([len(each) for each in by_window], BOOTSTRAP_DRAWS, seed=1):
        weight = np.cumsum(np.bincount(draw, minlength=len(blocks))[block_of])
        found.append(values[np.searchsorted(weight, percentile / 100 * weight[-1])])
    low, high = np.percentile(found, [2.5, 97.5]) / 1e6
    return Interval(float(low), float(high), f"block bootstrap over {len(blocks)} seconds of {len(by_window)} windows")


def latencies_by_second(run: Run, window: Window) -> list[np.ndarray]:
    """Of the new orders due in each second and answered "ok", in ns."""
    acks = run.acks
    done = acks[(acks["window"] == window.name) & (acks["kind"] == "new") & (acks["outcome"] == "ok")]
    intended = done["intended_ns"].to_numpy()
    taken = (done["answered_ns"] - done["intended_ns"]).to_numpy()
    edges = seconds_of(window)
    second = np.searchsorted(edges, intended, side="right") - 1
    return [taken[second == i] for i in range(len(edges) - 1)]


def _configuration(run: Run, name: str, windows: tuple[Window, ...]) -> Configuration:
    per_second = [orders_by_second(run, window) for window in windows]
    outcomes, fates, new = (
        sum((Counter(counted(window)) for window in windows), Counter[str]())
        for counted in (run.outcomes, run.fates, partial(run.outcomes, kind="new"))
    )
    orders = int(sum(counts.sum() for counts in per_second))
    rate = float(np.mean([counts.mean() for counts in per_second]))
    return Configuration(
        name=name,
        parameters=windows[0].parameters,
        windows=windows,
        orders_per_s=Figure("throughput", rate, "orders/s", intervals.of_windows(per_second)),
        commands_per_order=outcomes["ok"] / max(1, new["ok"]),
        orders=orders,
        outcomes=dict(outcomes),
        fates=dict(fates),
    )
