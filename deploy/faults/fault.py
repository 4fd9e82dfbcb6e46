"""What all faults share: applied to a live cluster, reverted however the block ends, and the cluster whole again after.

A fault is a value: a kind and its parameters, readable from YAML. `inflicted` is enough where the cluster dies with
this process. For one that outlives it (`lab up`) use `deploy.faults.guard`, which reverts even after kill -9.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from pydantic import BaseModel, ConfigDict

from deploy.cluster import Cluster, ClusterError, PartState
from deploy.topology import Topology

HEAL_DEADLINE_S = 60.0
ASK_DEADLINE_S = 2.0
POLL_S = 0.05
GENERATOR = "generator"
"""No part of a topology, but signals reach it."""


class FaultError(Exception):
    """A fault could not be applied or reverted; the text says which, where and what to do."""


class Fault(BaseModel, ABC):
    """Subclasses add `kind`, their parameters and what they do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str

    @abstractmethod
    def applied(self, cluster: Cluster) -> AbstractContextManager[None]:
        """Apply it, and revert it when the block ends. Raises FaultError or ClusterError."""

    def misfit(self, topology: Topology) -> str | None:
        """Why a cluster of this topology has no place for it, and what to do; None if it has."""
        part = getattr(self, "part", None)
        if part is None or part == GENERATOR or part in topology.listeners():
            return None
        return f"{part} is no part of this topology; use one of {', '.join(topology.listeners())}"


@contextmanager
def inflicted(cluster: Cluster, fault: Fault, heal_deadline_s: float = HEAL_DEADLINE_S) -> Iterator[None]:
    """The fault for as long as the block takes; afterwards every part is up and every gateway ready.

    Raises FaultError where the fault does not fit or the cluster does not heal.
    """
    misfit = fault.misfit(cluster.topology)
    if misfit:
        raise FaultError(f"{fault.__class__.__name__}: {misfit}")
    with fault.applied(cluster):
        yield
    heal(cluster, heal_deadline_s)


def heal(cluster: Cluster, deadline_s: float = HEAL_DEADLINE_S) -> None:
    """Wait until the cluster is whole; a part that was given up meanwhile is started again."""
    until = time.monotonic() + deadline_s
    while (wrong := ailing(cluster)) and time.monotonic() < until:
        for part in cluster.parts():
            if part.state is PartState.GIVEN_UP:
                cluster.restart(part.name)
        time.sleep(POLL_S)
    if wrong:
        raise FaultError(f"the cluster is not whole {deadline_s:g} s after the fault: {wrong}; look at lab status")


def ailing(cluster: Cluster) -> str:
    """What keeps the cluster from being whole, empty if nothing does."""
    down = [f"{part.name} is {part.state} ({part.said})" for part in cluster.parts() if part.state is not PartState.UP]
    if down:
        return ", ".join(down)
    return "" if _is_complete(cluster) else "HAProxy does not see every gateway ready"


def _is_complete(cluster: Cluster) -> bool:
    try:
        url = f"http://{cluster.address('haproxy-metrics')}/complete"
        with urllib.request.urlopen(url, timeout=ASK_DEADLINE_S):
            return True
    except (urllib.error.URLError, OSError):
        return False


def pid_of(cluster: Cluster, part: str) -> int:
    """Raises ClusterError where the part does not run."""
    for status in cluster.parts():
        if status.name == part and status.pid is not None:
            return status.pid
    raise ClusterError(f"{part} does not run; look at lab status")
