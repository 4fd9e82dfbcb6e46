"""What the cores that this machine gives the lab did since boot: busy, idle, stolen.

A container may be given two of sixteen cores and still sees the host's /proc/stat, whose first line is of all sixteen.
"""

from __future__ import annotations

import os
from collections.abc import Set
from dataclasses import astuple, dataclass
from operator import sub
from pathlib import Path

STAT = Path("/proc/stat")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class HostCpu:
    """Kernel ticks, summed over the cores."""

    busy_ticks: int
    idle_ticks: int
    stolen_ticks: int
    interrupt_ticks: int
    """Of the busy ones, those that are no process's."""

    def __sub__(self, earlier: HostCpu) -> HostCpu:
        return HostCpu(*map(sub, astuple(self), astuple(earlier)))

    def halfway(self, later: HostCpu) -> HostCpu:
        return HostCpu(*((mine + its) // 2 for mine, its in zip(astuple(self), astuple(later), strict=True)))


def host_cpu(stat: Path = STAT, cores: Set[int] | None = None) -> HostCpu:
    """Of these cores, else of those that this process may run on. Guests are counted in user time already.

    Where the file lacks one of these numbers, it counts a container's own cores from 0 on (lxcfs): then all of it.
    """
    wanted = os.sched_getaffinity(0) if cores is None else cores
    listed = {name: ticks for name, *ticks in map(str.split, stat.read_text().splitlines()) if name.startswith("cpu")}
    names = [f"cpu{core}" for core in wanted]
    rows = [listed[name] for name in names] if listed.keys() >= set(names) else [listed["cpu"]]
    user, nice, system, idle, iowait, irq, softirq, steal = (
        sum(map(int, column)) for column in list(zip(*rows, strict=True))[:8]
    )
    return HostCpu(user + nice + system + irq + softirq, idle + iowait, steal, irq + softirq)
