"""A disk whose syncs take long: a busy array, a worn drive, a throttled volume."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pydantic import PositiveFloat

from deploy.cluster import Cluster
from deploy.faults.disk import DiskFault


class SlowSync(DiskFault):
    """Each fsync and fdatasync of a part takes `delay_ms` longer."""

    kind: Literal["slow_sync"] = "slow_sync"
    delay_ms: PositiveFloat

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        cluster.set_disk(self.part, sync_delay_ms=self.delay_ms)
        try:
            yield
        finally:
            cluster.set_disk(self.part)
