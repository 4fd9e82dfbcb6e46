"""A consumer that does not keep up: the history's table, grown too large for its indexes."""

from __future__ import annotations

from typing import ClassVar, Literal, LiteralString

from psycopg import sql
from pydantic import PositiveFloat

from deploy.faults.sessions import TriggerFault
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


class SlowHistory(TriggerFault):
    """Each trade that the history writes takes `row_ms` longer."""

    kind: Literal["slow_history"] = "slow_history"
    row_ms: PositiveFloat
    uproot: ClassVar[LiteralString] = UPROOT

    def misfit(self, topology: Topology) -> str | None:
        return None if topology.history.replicas else "no history runs in this topology; set history.replicas: 1"

    def plant(self) -> sql.Composed:
        return sql.SQL(PLANT).format(row_s=sql.Literal(self.row_ms / 1000))
