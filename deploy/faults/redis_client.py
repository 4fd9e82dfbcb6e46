"""A connection to the cluster's Redis, for faults that come from there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from deploy.cluster import Cluster
from deploy.faults.fault import FaultError

DEADLINE_S = 5.0


@contextmanager
def redis_of(cluster: Cluster) -> Iterator[redis.Redis]:
    """What Redis refuses is a FaultError."""
    password = cluster.secrets.redis_password_file.read_text()
    url = cluster.secrets.redis_url
    try:
        with redis.Redis.from_url(url, password=password, socket_timeout=DEADLINE_S, decode_responses=True) as client:
            yield client
    except redis.RedisError as error:
        raise FaultError(f"Redis: {type(error).__name__}: {error}") from error
