"""Capacity of one component up and down on a live cluster, by a fifth: what proves a limit, or clears a suspect.

A lever has three arms: less, as it is, more. What the topology and the standing faults of a campaign leave to turn is
`available`; `pulled` puts every lever back to where it was, however the block ends. A lever changes what is there: a
quota, a disk's delay, a link's delay, the gateways that get orders. It adds no quota and no proxy, so both stand in all
arms alike. Two levers of one component turn one capacity, so a proof takes one of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from deploy.cluster import Cluster
from deploy.faults.disk import parts_of
from deploy.faults.fault import Fault
from deploy.faults.network import Latency
from deploy.faults.slow_sync import SlowSync
from deploy.local.cpu_groups import PERIOD_US, QUOTA_US_MIN
from deploy.topology import Topology, without_number

STEP = 1.2
"""By what a capacity grows and shrinks: a fifth more, and as much less as a ratio."""
CORES_MIN = STEP * QUOTA_US_MIN / PERIOD_US
"""The kernel takes no quota below a tenth of a core: a fifth less than this cannot be set."""
LINK_MS_MIN = 5
"""Toxiproxy counts whole milliseconds: a fifth of less than this cannot be set."""
SECTIONS = {
    "gateway": "gateways", "ledger": "ledger", "engine": "engine", "redis": "redis", "haproxy": "haproxy",
}  # fmt: skip
"""Component of the order path → its section of the topology."""


class Arm(StrEnum):
    LESS = "less"
    BASE = "as it is"
    MORE = "more"

    @property
    def factor(self) -> float:
        """On the capacity."""
        return {Arm.LESS: 1 / STEP, Arm.BASE: 1.0, Arm.MORE: STEP}[self]


STEPS = {Arm.LESS: -1, Arm.BASE: 0, Arm.MORE: 1}
"""What comes in whole pieces."""


class Lever(Protocol):
    @property
    def name(self) -> str:
        """`gateway cpu`: what is turned, with its component first."""
        ...

    @property
    def component(self) -> str: ...

    def set(self, cluster: Cluster, arm: Arm) -> float:
        """Turns it, and says the capacity that was written. Raises ClusterError or FaultError."""
        ...

    def put_back(self, cluster: Cluster) -> None:
        """As it was before anything was turned."""
        ...


@dataclass(frozen=True, slots=True)
class Cpu:
    """The CPU quota of each instance of a component."""

    component: str
    cores: float

    @property
    def name(self) -> str:
        return f"{self.component} cpu"

    def set(self, cluster: Cluster, arm: Arm) -> float:
        wanted = self.cores * arm.factor
        for part in cluster.parts():
            if without_number(part.name) == self.component:
                cluster.set_cpu_quota(part.name, wanted)
        return wanted

    def put_back(self, cluster: Cluster) -> None:
        self.set(cluster, Arm.BASE)


@dataclass(frozen=True, slots=True)
class Commit:
    """The disk under a component that waits for its syncs, where each is delayed already: syncs in a second."""

    component: str
    parts: tuple[str, ...]
    delay_ms: float

    @property
    def name(self) -> str:
        return f"{self.component} commit"

    def set(self, cluster: Cluster, arm: Arm) -> float:
        delay_ms = self.delay_ms / arm.factor
        for part in self.parts:
            cluster.set_disk(part, sync_delay_ms=delay_ms)
        return 1e3 / delay_ms

    def put_back(self, cluster: Cluster) -> None:
        self.set(cluster, Arm.BASE)


@dataclass(frozen=True, slots=True)
class Network:
    """A link that is delayed already: trips that fit in a second."""

    latency: Latency

    @property
    def name(self) -> str:
        return f"{self.latency.link} delay"

    @property
    def component(self) -> str:
        return f"network {self.latency.link}"

    def set(self, cluster: Cluster, arm: Arm) -> float:
        delay_ms = round(self.latency.latency_ms / arm.factor)
        self.latency.model_copy(update={"latency_ms": delay_ms}).again(cluster)
        return 1e3 / delay_ms

    def put_back(self, cluster: Cluster) -> None:
        self.set(cluster, Arm.BASE)


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many gateways get orders: one less, `count`, one more. The cluster has that one more, which rests else."""

    count: int

    @property
    def name(self) -> str:
        return f"{self.component} replicas"

    @property
    def component(self) -> str:
        return "gateway"

    @property
    def overrides(self) -> dict[str, int]:
        """Of the topology, so that the spare one is there."""
        return {"gateways.replicas": self.count + 1}

    def set(self, cluster: Cluster, arm: Arm) -> float:
        wanted = self.count + STEPS[arm]
        self._let(cluster, wanted)
        return wanted

    def put_back(self, cluster: Cluster) -> None:
        self._let(cluster, self.count + 1)

    def _let(self, cluster: Cluster, wanted: int) -> None:
        """First those that work again, so that there is always one."""
        for number in range(1, self.count + 2):
            cluster.set_resting(f"gateway-{number}", number > wanted)


@dataclass(frozen=True, slots=True)
class Pool:
    """The connections of each gateway to the ledger: one less, `size`, one more, which it has to spare."""

    gateways: int
    size: int

    @property
    def name(self) -> str:
        return f"{self.component} pool"

    @property
    def component(self) -> str:
        return "ledger"

    @property
    def overrides(self) -> dict[str, int]:
        """Of the topology, so that the spare one is there."""
        return {"gateways.ledger_pool_size": self.size + 1}

    def set(self, cluster: Cluster, arm: Arm) -> float:
        wanted = self.size + STEPS[arm]
        for number in range(1, self.gateways + 1):
            cluster.set_pool(f"gateway-{number}", wanted)
        return wanted

    def put_back(self, cluster: Cluster) -> None:
        for number in range(1, self.gateways + 1):
            cluster.set_pool(f"gateway-{number}", None)


def available(topology: Topology, standing: Sequence[Fault]) -> list[Lever]:
    """What can be turned: the quotas of the order path, how many gateways there are and how many connections each
    has, where there are several, and the disks and links that are delayed."""
    quotas = {component: getattr(topology, section).cpu_cores for component, section in SECTIONS.items()}
    levers: list[Lever] = [Cpu(component, cores) for component, cores in quotas.items() if cores and cores >= CORES_MIN]
    if topology.gateways.replicas > 1:
        levers.append(Replicas(topology.gateways.replicas))
    if topology.gateways.ledger_pool_size > 1:
        levers.append(Pool(topology.gateways.replicas, topology.gateways.ledger_pool_size))
    for fault in standing:
        match fault:
            case SlowSync():
                parts = parts_of(topology, fault.part)
                levers.append(Commit(without_number(parts[0]), parts, fault.delay_ms))
            case Latency() if fault.latency_ms >= LINK_MS_MIN:
                levers.append(Network(fault))
    return levers


@contextmanager
def pulled(cluster: Cluster, levers: Sequence[Lever]) -> Iterator[None]:
    """Each at its base; afterwards as it was. Of levers that cannot be put back, the last is the error."""
    with contextlib.ExitStack() as reverts:
        for lever in levers:
            reverts.callback(lever.put_back, cluster)
            lever.set(cluster, Arm.BASE)
        yield
