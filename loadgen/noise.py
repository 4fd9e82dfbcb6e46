"""The machine's own noise while a window was measured: stolen CPU, a busy host, and how late a sleeper is woken.

A thread of the lab's process, bound by no quota, sleeps two milliseconds at a time and records by how much it overslept
(Gil Tene's jHiccup). What delays it delays everything on this machine, and is nobody's latency but its own.

A percentile is of the wakings and not of the time: a pause of 100 ms is one late waking, though it swallowed 50 naps.
Counted by time (jHiccup's correction) the load of the lab itself, where it fills the machine, is told as somebody
else's: windows of six seconds of hft_sweep and write_paths, on a machine with nothing else on it, came to 21 to 39 ms.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Self

from deploy.local.host_cpu import host_cpu
from loadgen.record import new_histogram

NAP_NS = 2_000_000


@dataclass(frozen=True, slots=True)
class Noise:
    steal_share: float
    hiccup_p50_ns: int
    hiccup_p99_9_ns: int
    hiccup_max_ns: int
    host_busy_share: float
    clock_step_max_ns: int
    """The largest jump of the wall clock against the monotonic one within a nap."""


@dataclass(frozen=True, slots=True)
class ClockPair:
    """The wall clock against the monotonic one; what lay between the two readings is the doubt of it."""

    offset_ns: int
    doubt_ns: int

    @classmethod
    def now(cls) -> Self:
        before_ns = time.monotonic_ns()
        wall_ns = time.time_ns()
        after_ns = time.monotonic_ns()
        return cls(wall_ns - before_ns, after_ns - before_ns)

    def step_ns(self, earlier: ClockPair) -> int:
        """By how much the wall clock jumped at least, either way."""
        return max(abs(self.offset_ns - earlier.offset_ns) - self.doubt_ns - earlier.doubt_ns, 0)


class NoiseMeter:
    """Listens in a thread from `from_ns` until `until_ns` (wall clock) or until `stop`; `noise` gives what it heard."""

    def __init__(self, from_ns: int, until_ns: int) -> None:
        self._from_ns, self._until_ns = from_ns, until_ns
        self._stopped = threading.Event()
        self._noise: Noise | None = None
        self._thread = threading.Thread(target=self._listen, name="noise", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def noise(self) -> Noise:
        """Waits for the end of the window."""
        self._thread.join()
        assert self._noise is not None
        return self._noise

    def _listen(self) -> None:
        self._stopped.wait(max(self._from_ns - time.time_ns(), 0) / 1e9)
        before = host_cpu()
        hiccups = new_histogram()
        until_ns = time.monotonic_ns() + self._until_ns - time.time_ns()
        clocks = ClockPair.now()
        step_max_ns = 0
        while (now := time.monotonic_ns()) < until_ns and not self._stopped.is_set():
            time.sleep(NAP_NS / 1e9)
            hiccups.record_value(max(time.monotonic_ns() - now - NAP_NS, 0))
            before_nap, clocks = clocks, ClockPair.now()
            step_max_ns = max(step_max_ns, clocks.step_ns(before_nap))
        after = host_cpu()
        busy, stolen = after.busy_ticks - before.busy_ticks, after.stolen_ticks - before.stolen_ticks
        total = max(busy + stolen + after.idle_ticks - before.idle_ticks, 1)
        self._noise = Noise(
            steal_share=stolen / total,
            hiccup_p50_ns=hiccups.get_value_at_percentile(50),
            hiccup_p99_9_ns=hiccups.get_value_at_percentile(99.9),
            hiccup_max_ns=hiccups.get_max_value(),
            host_busy_share=(busy + stolen) / total,
            clock_step_max_ns=step_max_ns,
        )
