"""A wall clock that is wrong: a machine whose time service died, or was told nonsense."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from pydantic import Field

from deploy.cluster import Cluster
from deploy.faults.fault import Fault
from deploy.local import clock
from deploy.local.site import Layout
from deploy.topology import Topology

DAY_MS = 86_400_000


class ClockSkew(Fault):
    """The time of day of a gateway is `ahead_ms` ahead (negative: behind); its monotonic clock goes on as ever."""

    kind: Literal["clock_skew"] = "clock_skew"
    part: Annotated[str, Field(pattern=r"^gateway-\d+$")]
    ahead_ms: Annotated[int, Field(ge=-DAY_MS, le=DAY_MS)]

    def misfit(self, topology: Topology) -> str | None:
        if not topology.gateways.clock_faults:
            return "gateways run without clock faults; set gateways.clock_faults: true in the topology"
        return super().misfit(topology)

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        control = clock.control_of(Layout(cluster.directory), self.part)
        clock.tell(control, self.ahead_ms * 1_000_000)
        try:
            yield
        finally:
            clock.tell(control, 0)
