"""A disk without a free block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from deploy.cluster import Cluster
from deploy.faults.disk import DiskFault


class DiskFull(DiskFault):
    """No file of a part may grow (ENOSPC); what is there may be overwritten, as on a real full disk."""

    kind: Literal["disk_full"] = "disk_full"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        cluster.set_disk(self.part, is_full=True)
        try:
            yield
        finally:
            cluster.set_disk(self.part)
