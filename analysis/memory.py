"""Memory pressure: tasks that wait for memory, or a machine that has none left, slow whoever touches memory next."""

from __future__ import annotations

import numpy as np

from analysis.finding import Bearing, Figure, Finding, Mechanism, percent
from analysis.measured import Configuration, configurations
from analysis.series import counter, gauge
from loadgen.record import Run

WAITED = "node_pressure_memory_waiting_seconds_total"
AVAILABLE = "node_memory_MemAvailable_bytes"
PRESSED, SCARCE = 0.02, 0.05
"""Share of the time in which some task waited for memory; share of the machine's memory that is left."""


def memory(run: Run) -> list[Finding]:
    return [found for each in configurations(run) if (found := _finding(run, each)) is not None]


def _finding(run: Run, configuration: Configuration) -> Finding | None:
    waited = [counter(run, WAITED, window) for window in configuration.windows]
    left = [gauge(run, AVAILABLE, window) for window in configuration.windows]
    pressure = float(np.mean([each.mean() for each in waited if each is not None] or [0.0]))
    lows = [float(each.min()) for each in left if each is not None]
    if not lows or not run.machine.memory_bytes:
        return None
    free = min(lows) / run.machine.memory_bytes
    is_pressed = pressure >= PRESSED or free <= SCARCE
    return Finding(
        claim=f"Tasks waited for memory {percent(pressure, 1)} of the time; {percent(free)} of it was free at least",
        component="host",
        mechanism=Mechanism.MEMORY,
        status=Bearing.NOTED if is_pressed else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=(Figure("some task waited for memory", 100 * pressure, "%"), Figure("memory free", 100 * free, "%")),
        doubt="The machine was short of memory, so every component may have waited for it unseen."
        if is_pressed
        else "",
    )
