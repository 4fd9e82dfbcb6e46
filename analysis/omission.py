"""Coordinated omission on one's own run: what users who wait for their answers would have seen of the same system.

A closed loop sends nothing while its users wait, so a stall meets each of them once, however many requests were due in
it (Gil Tene, "How NOT to measure latency", 2015). Here its users are replayed on what an open loop saw: a request sent
at t takes as long as the next one that the run sent at or after t.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loadgen.record import Run, Window

Nanoseconds = npt.NDArray[np.int64]


def seen_ns(run: Run, window: Window) -> tuple[Nanoseconds, Nanoseconds]:
    """When each request of the measured part was due, in order, and its latency from then on; answered ones only."""
    acks = run.acks
    due = acks["intended_ns"]
    inside = (acks["window"] == window.name) & (due >= window.measured_from_ns) & (due < window.measured_until_ns)
    rows = acks[inside & (acks["outcome"] == "ok")].sort_values("intended_ns")
    intended = rows["intended_ns"].to_numpy(dtype=np.int64)
    return intended, rows["answered_ns"].to_numpy(dtype=np.int64) - intended


def replayed_ns(due_ns: Nanoseconds, latency_ns: Nanoseconds, users: int, think_ns: int) -> Nanoseconds:
    """Latencies that so many users would have seen who think, send, and wait; they begin one after the other."""
    found: list[int] = []
    for number in range(users):
        at_ns = int(due_ns[0]) + number * max(think_ns, 1) // users
        while (next_at := int(np.searchsorted(due_ns, at_ns))) < len(due_ns):
            found.append(int(latency_ns[next_at]))
            at_ns = int(due_ns[next_at] + latency_ns[next_at]) + max(think_ns, 1)
    return np.array(found, dtype=np.int64)


def quantiles_ms(latency_ns: Nanoseconds, percents: tuple[float, ...] = (50.0, 90.0, 99.0, 99.9)) -> dict[float, float]:
    return {percent: float(np.percentile(latency_ns, percent)) / 1e6 for percent in percents}
