"""A part with less CPU than the topology gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from deploy.cluster import Cluster, ClusterError
from deploy.faults.fault import Fault
from deploy.topology import Cores


class CpuQuota(Fault):
    """A part is bounded to `cores`, live; afterwards it has what it had before."""

    kind: Literal["cpu_quota"] = "cpu_quota"
    part: str
    cores: Cores

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        before = {status.name: status.cpu_quota_cores for status in cluster.parts()}
        if self.part not in before:
            raise ClusterError(f"{self.part} is no part; use one of {', '.join(before)}")
        cluster.set_cpu_quota(self.part, self.cores)
        try:
            yield
        finally:
            cluster.set_cpu_quota(self.part, before[self.part])
