"""A disk without a free block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

from deploy.cluster import Cluster
from deploy.faults.disk import DiskFault, parts_of


class DiskFull(DiskFault):
    """No file of a part may grow (ENOSPC); what is there may be overwritten, as on a real full disk."""

    kind: Literal["disk_full"] = "disk_full"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        with ExitStack() as reverts:
            for part in parts_of(cluster.topology, self.part):
                cluster.set_disk(part, is_full=True)
                reverts.callback(cluster.set_disk, part)
            yield
