"""A disk whose syncs take long: a busy array, a worn drive, a throttled volume."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

from pydantic import PositiveFloat

from deploy.cluster import Cluster
from deploy.faults.disk import DiskFault, parts_of


class SlowSync(DiskFault):
    """Each fsync and fdatasync of a part (`ledger`: of every shard) takes `delay_ms` longer."""

    kind: Literal["slow_sync"] = "slow_sync"
    delay_ms: PositiveFloat

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        with ExitStack() as reverts:
            for part in parts_of(cluster.topology, self.part):
                cluster.set_disk(part, sync_delay_ms=self.delay_ms)
                reverts.callback(cluster.set_disk, part)
            yield
