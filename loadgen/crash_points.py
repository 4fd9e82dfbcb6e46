"""Every crash point of decision 1, hit under load: the process dies right after that step, and nothing may be lost.

Random kills nearly always fall where a process waits; these fall between two steps. The component is started with its
crash point armed and dies again and again, once in so many passings, until enough hits are counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.cluster import Cluster, EventKind
from deploy.topology import without_number
from loadgen.probe import NotAcknowledgedError
from loadgen.siege import Outcome, Siege, TortureError, stubborn_topology

POINT_DEADLINE_S = 120.0
PAUSE_S = 0.1
BACKOFF_S = 0.2
"""Restarts without a growing pause: dying often is what is wanted here."""


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """A step of decision 1, who dies right after it, and at which passing."""

    step: int
    component: str
    name: str
    every: int

    @property
    def section(self) -> str:
        """Of the topology."""
        return "gateways" if self.component == "gateway" else self.component

    @property
    def environment(self) -> dict[str, str]:
        return {f"{self.component.upper()}_CRASH_AT": f"{self.name}:{self.every}"}

    def __str__(self) -> str:
        return f"{self.step} {self.component} {self.name}"


CRASH_POINTS = (
    CrashPoint(1, "gateway", "validated", 40),
    CrashPoint(2, "gateway", "sent", 20),
    CrashPoint(3, "engine", "matched", 20),
    CrashPoint(4, "engine", "synced", 20),
    CrashPoint(5, "engine", "sent", 20),
    CrashPoint(6, "gateway", "committed", 40),
    CrashPoint(7, "gateway", "projected", 40),
    CrashPoint(8, "gateway", "answered", 40),
)


def hit_all(hits: int, directory: Path, scratch: Path, progress: Callable[[str], None]) -> Outcome:
    """Each crash point at least so often, with a reconciliation after each. Raises TortureError, ClusterError."""
    topology = stubborn_topology().with_overrides(
        {f"{section}.restarts.backoff_max_s": BACKOFF_S for section in ("gateways", "engine")}
    )
    outcome = Outcome()
    with Cluster.up(topology, directory, say=progress) as cluster:
        siege = Siege(cluster, scratch)
        for point in CRASH_POINTS:
            armed = topology.with_overrides({f"{point.section}.environment": point.environment})
            since_ns = time.time_ns()
            with siege.round(f"point-{point.step}", armed, outcome) as probe:
                deadline = time.monotonic() + POINT_DEADLINE_S
                while (deaths := deaths_of(cluster, point.component, since_ns)) < hits:
                    try:
                        probe.insist(deadline)
                        outcome.differences += probe.repeat(deadline)
                    except NotAcknowledgedError as error:
                        raise TortureError(f"crash point {point}, {deaths} hits: {error}") from error
                    time.sleep(PAUSE_S)
            outcome.struck[str(point)] = deaths_of(cluster, point.component, since_ns)
            progress(f"crash point {point}: {outcome.struck[str(point)]} hits, {outcome.totals['lost']} lost so far")
    return outcome


def deaths_of(cluster: Cluster, component: str, since_ns: int) -> int:
    return sum(
        event.kind is EventKind.DIED and without_number(event.part) == component for event in cluster.events(since_ns)
    )
