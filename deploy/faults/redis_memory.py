"""Redis with less memory than it needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pydantic import PositiveInt

from deploy.cluster import Cluster
from deploy.faults.fault import Fault
from deploy.faults.redis_client import redis_of

CHANGED = ("maxmemory", "maxmemory-policy")


class RedisMemory(Fault):
    """`maxmemory` of so many kilobytes: writes are refused, or keys evicted, as the policy says."""

    kind: Literal["redis_memory"] = "redis_memory"
    max_kb: PositiveInt
    policy: Literal["noeviction", "allkeys-lru"] = "noeviction"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        with redis_of(cluster) as client:
            before = {name: str(value) for name, value in client.config_get("maxmemory*").items() if name in CHANGED}
            client.config_set("maxmemory", self.max_kb * 1024)
            client.config_set("maxmemory-policy", self.policy)
        try:
            yield
        finally:
            with redis_of(cluster) as client:
                for name, value in before.items():
                    client.config_set(name, value)
                if self.policy != "noeviction":
                    client.flushall()  # nobody knows what was evicted: the settler rebuilds all of it
