"""A ledger that holds other than what the engine did: a restore that lacks a row, a job that ran twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from deploy.cluster import Cluster
from deploy.faults.fault import FaultError
from deploy.faults.sessions import LedgerFault

TAKE = """
    WITH gone AS (
        DELETE FROM commands WHERE sequence = (
            SELECT sequence FROM commands WHERE recorded_at < clock_timestamp() - interval '3 s'
            ORDER BY sequence DESC LIMIT 1
        ) RETURNING *
    ) INSERT INTO fault_lost_command SELECT * FROM gone
"""
"""Of the last few, and old enough that the settler does not find a hole where its gateway may still be at work."""
REPEAT = """
    INSERT INTO trades
    SELECT sequence - 1, trade_id, taker_order_id, maker_order_id, price_ticks, quantity_lots, taker_account,
        maker_account, taker_side, symbol
    FROM trades ORDER BY sequence DESC LIMIT 1 RETURNING sequence, trade_id
"""
"""Under the command before, which is there: a trade takes two."""


class LostCommand(LedgerFault):
    """One acknowledged command is taken out of the ledger; put back afterwards."""

    kind: Literal["lost_command"] = "lost_command"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        with self.session(cluster) as session, session.transaction():
            session.execute("CREATE TABLE fault_lost_command (LIKE commands)")
            if session.execute(TAKE).rowcount != 1:
                raise FaultError("the ledger holds no command that could be lost; send orders first")
        try:
            yield
        finally:
            with self.session(cluster) as session, session.transaction():
                session.execute("INSERT INTO commands SELECT * FROM fault_lost_command ON CONFLICT DO NOTHING")
                session.execute("DROP TABLE fault_lost_command")


class RepeatedTrade(LedgerFault):
    """One trade is in the ledger a second time, as if another command had made it; taken out afterwards."""

    kind: Literal["repeated_trade"] = "repeated_trade"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        with self.session(cluster) as session:
            copy = session.execute(REPEAT).fetchone()
        if copy is None:
            raise FaultError("the ledger holds no trade that could be repeated; send orders first")
        try:
            yield
        finally:
            with self.session(cluster) as session:
                session.execute("DELETE FROM trades WHERE sequence = %s AND trade_id = %s", copy)
