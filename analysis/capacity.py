"""How many cores a component could keep busy, and what sets that number: its quota, its threads, or the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from deploy.topology import Topology, cores_of
from loadgen.record import Machine, Run, Window

SINGLE_THREADED = frozenset({"gateway", "redis", "haproxy", "settler", "market-data", "history"})
"""One event loop each, so no instance can use more than one core; the lab's HAProxy runs with one thread."""
PART_OF_TOPOLOGY = {"gateway": "gateways", "market-data": "market_data"}
"""Components whose section of the topology has another name."""


class BoundBy(StrEnum):
    QUOTA = "quota"
    THREADS = "threads"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Capacity:
    cores: float
    """All instances together."""
    bound_by: BoundBy
    instances: int
    each: float
    """One instance while the others rest: of a host that bounds them all, one may have the whole."""

    def __str__(self) -> str:
        times = f"{self.instances} × " if self.instances > 1 else ""
        match self.bound_by:
            case BoundBy.QUOTA:
                return f"its quota of {times}{self.each:.2g} cores"
            case BoundBy.THREADS:
                return f"its {self.instances} threads" if self.instances > 1 else "its one thread"
            case BoundBy.HOST:
                return f"the host's {self.cores:g} cores"


def capacity(run: Run, window: Window, component: str, seen: int) -> Capacity:
    """What the component may use; `seen` instances did something. Without a topology the machine alone is the judge."""
    topology = topology_of(run, window) if run.topologies[window.name] else None
    return capacity_of(topology, run.machine, component, seen)


def capacity_of(topology: Topology | None, machine: Machine, component: str, seen: int = 1) -> Capacity:
    """As `capacity`, of a topology that need not have been run."""
    section = getattr(topology, PART_OF_TOPOLOGY.get(component, component), None)
    quota = getattr(section, "cpu_cores", None) if machine.quotas.startswith("cgroup") else None
    instances = getattr(section, "replicas", getattr(section, "shards", seen))
    cpuset = getattr(section, "cpuset", None)
    threads = instances if component in SINGLE_THREADED else float("inf")
    limits = {
        BoundBy.QUOTA: quota * instances if quota is not None else float("inf"),
        BoundBy.THREADS: threads,
        BoundBy.HOST: float(len(cores_of(cpuset)) if cpuset else machine.cores),
    }
    bound_by = min(limits, key=lambda kind: limits[kind])
    of_one = (quota, 1.0 if component in SINGLE_THREADED else None, limits[BoundBy.HOST])
    return Capacity(limits[bound_by], bound_by, instances, min(each for each in of_one if each is not None))


def gateways_of(run: Run, window: Window) -> int | None:
    """How many gateways ran; None where neither the topology nor the parameters say."""
    if run.topologies[window.name]:
        return topology_of(run, window).gateways.replicas
    given = window.parameters.get("gateways")
    return int(given) if given is not None else None


def topology_of(run: Run, window: Window) -> Topology:
    """Without the settings of old runs that topologies no longer have."""
    return Topology.model_validate(_known(run.topologies[window.name], Topology))


def _known(given: Mapping[str, Any], section: type[BaseModel]) -> dict[str, Any]:
    kept = {name: value for name, value in given.items() if name in section.model_fields}
    for name, value in kept.items():
        below = section.model_fields[name].annotation
        if isinstance(value, dict) and isinstance(below, type) and issubclass(below, BaseModel):
            kept[name] = _known(value, below)
    return kept
