"""Gateways with few connections to the ledger: orders queue for one while Postgres idles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

from pydantic import PositiveInt

from deploy.cluster import Cluster
from deploy.faults.fault import Fault


class SmallPool(Fault):
    """Of each gateway's connections to a shard no more than `connections` work at once."""

    kind: Literal["small_pool"] = "small_pool"
    connections: PositiveInt = 1

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        with ExitStack() as reverts:
            for number in range(1, cluster.topology.gateways.replicas + 1):
                cluster.set_pool(f"gateway-{number}", self.connections)
                reverts.callback(cluster.set_pool, f"gateway-{number}", None)
            yield
