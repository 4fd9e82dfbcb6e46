"""Redis lost all it held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from deploy.cluster import Cluster
from deploy.faults.fault import Fault
from deploy.faults.redis_client import redis_of


class RedisFlush(Fault):
    """FLUSHALL. The settler's rebuilding from the ledger is the recovery."""

    kind: Literal["redis_flush"] = "redis_flush"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        with redis_of(cluster) as client:
            client.flushall()
        yield
