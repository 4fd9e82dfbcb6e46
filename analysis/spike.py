"""How soon the queue of a spike is gone: when who asks is answered again as before it.

Requests count by when they were due, and by the time from then to the answer; what was refused or never answered took
for ever. After the spike's end they are looked at by quarters of a second. A quarter is calm where its median is at
most the 90th percentile of what was due in the window before the spike: half of the requests no longer wait more than
one in ten did then. The queue is gone with the first quarter that begins a whole calm second, so the figure is coarse
by a quarter, and 0 where nothing was left to wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import intervals
from analysis.finding import Figure
from analysis.measured import Configuration, configurations
from analysis.memo import remembered
from loadgen.record import Run, Window

CALM = 90.0
CALM_MIN = 100
"""Requests before the spike, from which on their percentile says something."""
QUARTER_S, QUARTERS = 0.25, 4
"""How finely is looked, and how many in a row have to be calm."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Of one spike. `longest_ms`: the highest median of a quarter since it began; infinite where more than half were
    refused or never answered. `gone_s` counts from its end; None where the window ended before."""

    calm_ms: float
    longest_ms: float
    gone_s: float | None


@dataclass(frozen=True, slots=True)
class Spike:
    """Of one configuration, a drain for each repetition."""

    configuration: Configuration
    drains: tuple[Drain, ...]

    @property
    def gone(self) -> Figure | None:
        """Mean over the repetitions; None where one of them ended before."""
        each = [drain.gone_s for drain in self.drains if drain.gone_s is not None]
        if len(each) < len(self.drains):
            return None
        span = intervals.of_windows([[gone_s] for gone_s in each])
        return Figure("queue of the spike gone after", float(np.mean(each)), "s", span)


@remembered
def spikes(run: Run) -> list[Spike]:
    """Empty where the load has none, or none with calm before it and time after it."""
    found = [
        Spike(each, tuple(drain for window in each.windows if (drain := _of_window(run, window)) is not None))
        for each in configurations(run)
    ]
    return [spike for spike in found if spike.drains]


def drain(due_s: np.ndarray, took_ms: np.ndarray, from_s: float, until_s: float, end_s: float) -> Drain | None:
    """Of requests due at such times, before, in and after a spike from `from_s` to `until_s`; None where there was no
    calm before it, or no time after it."""
    before = took_ms[due_s < from_s]
    if len(before) < CALM_MIN or until_s >= end_s:
        return None
    bound_ms = float(np.percentile(before, CALM, method="inverted_cdf"))  # picks one, where some are infinite
    if not np.isfinite(bound_ms):
        return None
    after = _medians(due_s, took_ms, until_s, end_s)
    calm = [median <= bound_ms for median in after]
    begins = (at for at in range(len(calm) - QUARTERS + 1) if all(calm[at : at + QUARTERS]))
    gone = next(begins, None)
    longest = max([*_medians(due_s, took_ms, from_s, until_s), *after], default=bound_ms)
    return Drain(bound_ms, longest, None if gone is None else gone * QUARTER_S)


def _medians(due_s: np.ndarray, took_ms: np.ndarray, from_s: float, until_s: float) -> list[float]:
    """Of each whole quarter; where nothing was due nobody knows."""
    starts = from_s + QUARTER_S * np.arange(int((until_s - from_s) / QUARTER_S + 1e-9))
    parts = (took_ms[(due_s >= start) & (due_s < start + QUARTER_S)] for start in starts)
    return [float(np.percentile(part, 50, method="inverted_cdf")) if len(part) else np.inf for part in parts]


def _of_window(run: Run, window: Window) -> Drain | None:
    arrivals = _arrivals(run, window)
    if arrivals.get("kind") != "spike":
        return None
    rows = run.acks[run.acks["window"] == window.name]
    due_s = (rows["intended_ns"].to_numpy() - window.measured_from_ns) / 1e9
    took_ms = (rows["answered_ns"] - rows["intended_ns"]).to_numpy() / 1e6
    took_ms = np.where(rows["outcome"] == "ok", took_ms, np.inf)
    measured = due_s >= 0
    until_s = arrivals["at_s"] + arrivals["for_s"]
    return drain(due_s[measured], took_ms[measured], arrivals["at_s"], until_s, window.duration_s)


def _arrivals(run: Run, window: Window) -> Mapping[str, Any]:
    """As the campaign has them, with what is swept of them."""
    swept = {name.rpartition(".")[2]: value for name, value in window.parameters.items() if "arrivals." in name}
    return {**(run.campaign["load"].get("arrivals") or {}), **swept}
