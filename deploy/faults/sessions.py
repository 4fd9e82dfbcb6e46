"""A foreign session in a shard of the ledger, for faults that come from there. It ends with its connection."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, ClassVar, LiteralString

import psycopg
from psycopg import sql
from pydantic import Field

from deploy.cluster import Cluster
from deploy.faults.fault import Fault, FaultError
from deploy.topology import Topology

CONNECT_DEADLINE_S = 5
LOCK_DEADLINE_MS = 10_000

Session = psycopg.Connection[tuple[object, ...]]


class LedgerFault(Fault):
    shard: Annotated[int, Field(ge=1)] = 1

    def misfit(self, topology: Topology) -> str | None:
        if self.shard <= topology.ledger.shards:
            return None
        return f"shard {self.shard} does not exist; the topology has {topology.ledger.shards}"

    @contextmanager
    def session(self, cluster: Cluster) -> Iterator[Session]:
        """A connection to the shard; what Postgres refuses is a FaultError."""
        dsn = cluster.secrets.ledger_dsns[self.shard - 1]
        options = f"-c lock_timeout={LOCK_DEADLINE_MS}"
        try:
            with psycopg.connect(
                dsn, connect_timeout=CONNECT_DEADLINE_S, autocommit=True, options=options, application_name="fault"
            ) as session:
                yield session
        except psycopg.Error as error:
            raise FaultError(f"{self.__class__.__name__} in ledger-{self.shard}: {error}") from error


class TriggerFault(LedgerFault):
    """A trigger on a table of the shard, and what it needs; both are SQL, the second undoes the first."""

    uproot: ClassVar[LiteralString]

    @abstractmethod
    def plant(self) -> sql.Composed: ...

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        self._change(cluster, sql.SQL(self.uproot), self.plant())
        try:
            yield
        finally:
            self._change(cluster, sql.SQL(self.uproot))

    def _change(self, cluster: Cluster, *statements: sql.SQL | sql.Composed) -> None:
        with self.session(cluster) as session, session.transaction():
            for statement in statements:
                session.execute(statement)
