"""A consumer that does not keep up: the history's table, grown too large for its indexes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from psycopg import sql
from pydantic import PositiveFloat

from deploy.cluster import Cluster
from deploy.faults.sessions import LedgerFault
from deploy.topology import Topology

PLANT = """
    CREATE FUNCTION fault_slow_history() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_sleep({row_s}); RETURN NEW; END $$;
    CREATE TRIGGER fault_slow_history BEFORE INSERT ON history.trades
        FOR EACH ROW EXECUTE FUNCTION fault_slow_history();
"""
UPROOT = """
    DROP TRIGGER IF EXISTS fault_slow_history ON history.trades;
    DROP FUNCTION IF EXISTS fault_slow_history();
"""


class SlowHistory(LedgerFault):
    """Each trade that the history writes takes `row_ms` longer."""

    kind: Literal["slow_history"] = "slow_history"
    row_ms: PositiveFloat

    def misfit(self, topology: Topology) -> str | None:
        return None if topology.history.replicas else "no history runs in this topology; set history.replicas: 1"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        plant = sql.SQL(PLANT).format(row_s=sql.Literal(self.row_ms / 1000))
        with self.session(cluster) as session, session.transaction():
            session.execute(UPROOT)
            session.execute(plant)
        try:
            yield
        finally:
            with self.session(cluster) as session, session.transaction():
                session.execute(UPROOT)
