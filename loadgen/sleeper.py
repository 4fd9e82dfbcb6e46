"""How late a sleeper is woken whom nothing but the machine itself delays: a process of its own, from `loadgen.noise`.

It sleeps two milliseconds at a time and notes by how much it overslept (Gil Tene's jHiccup). Its priority is real-time
and above the generator's, where the machine grants that: no load of the lab, however it fills the machine, makes it
late, so what does is a machine that stood still. No thread of the lab's: it would wait for the interpreter's lock.

A pause of 100 ms is one late waking, but whoever had come meanwhile would have waited too: the naps that it swallowed
count, each as late as it would have been, so a percentile is of the time and not of the wakings. Not where the sleeper
has the usual priority: there the lab's own load, where it fills the machine, makes it late for much of the time.
"""

from __future__ import annotations

import os
import select
import sys
import time
from typing import Self

import msgspec

from loadgen.histogram import HISTOGRAM_MAX_NS, new_histogram
from loadgen.process import take_precedence

NAP_NS = 2_000_000
PRIORITY = 2


class Span(msgspec.Struct, frozen=True):
    """When to listen, by the wall clock."""

    from_ns: int
    until_ns: int


class Slept(msgspec.Struct, frozen=True):
    hiccup_p50_ns: int
    hiccup_p99_ns: int
    hiccup_p99_9_ns: int
    hiccup_max_ns: int
    clock_step_max_ns: int
    """The largest jump of the wall clock against the monotonic one within a nap."""


class ClockPair(msgspec.Struct, frozen=True):
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


class Hiccups:
    def __init__(self, *, by_time: bool) -> None:
        self._late_ns = new_histogram()
        self._between_ns = NAP_NS if by_time else HISTOGRAM_MAX_NS

    def add(self, overslept_ns: int) -> None:
        self._late_ns.record_corrected_value(max(overslept_ns, 0), self._between_ns)

    def slept(self, clock_step_max_ns: int) -> Slept:
        at = self._late_ns.get_value_at_percentile
        return Slept(at(50), at(99), at(99.9), self._late_ns.get_max_value(), clock_step_max_ns)


def listen(span: Span, told: int, hiccups: Hiccups) -> Slept:
    """Over the span, or until `told` (a descriptor) ends."""
    step_max_ns = 0
    if not _is_told(told, span.from_ns - time.time_ns()):
        until_ns = time.monotonic_ns() + span.until_ns - time.time_ns()
        clocks = ClockPair.now()
        while (now_ns := time.monotonic_ns()) < until_ns and not _is_told(told, NAP_NS):
            hiccups.add(time.monotonic_ns() - now_ns - NAP_NS)
            before, clocks = clocks, ClockPair.now()
            step_max_ns = max(step_max_ns, clocks.step_ns(before))
    return hiccups.slept(step_max_ns)


def _is_told(told: int, within_ns: int) -> bool:
    return bool(select.select([told], [], [], max(within_ns, 0) / 1e9)[0])


def main() -> None:
    hiccups = Hiccups(by_time=take_precedence(priority=PRIORITY))
    span = msgspec.json.decode(sys.stdin.buffer.readline(), type=Span)
    os.write(sys.stdout.fileno(), msgspec.json.encode(listen(span, sys.stdin.fileno(), hiccups)) + b"\n")


if __name__ == "__main__":
    main()
