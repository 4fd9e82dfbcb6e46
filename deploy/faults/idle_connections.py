"""Connections that somebody took and does not use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated, Literal

from pydantic import Field

from deploy.cluster import Cluster
from deploy.faults.sessions import LedgerFault


class IdleConnections(LedgerFault):
    """So many idle connections to a shard beside the lab's own."""

    kind: Literal["idle_connections"] = "idle_connections"
    count: Annotated[int, Field(ge=1, le=1_000)]

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        with ExitStack() as sessions:
            for _ in range(self.count):
                sessions.enter_context(self.session(cluster))
            yield
