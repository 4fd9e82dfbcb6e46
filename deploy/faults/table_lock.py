"""A foreign session that holds a table: a forgotten migration, a reporting job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from psycopg import sql

from deploy.cluster import Cluster
from deploy.faults.sessions import LedgerFault


class TableLock(LedgerFault):
    """Nobody else writes the table, nor reads it where the mode is `access exclusive`."""

    kind: Literal["table_lock"] = "table_lock"
    table: Literal["commands", "trades"] = "commands"
    mode: Literal["exclusive", "access exclusive"] = "exclusive"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        lock = sql.SQL("LOCK TABLE {} IN {} MODE").format(sql.Identifier(self.table), sql.SQL(self.mode.upper()))
        with self.session(cluster) as session:
            session.execute("BEGIN")
            session.execute(lock)
            yield
