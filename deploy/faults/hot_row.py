"""One row that every order has to change: a counter in a trigger, the classic way to make a parallel ledger serial."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import psycopg
from psycopg import sql
from pydantic import Field

from deploy.cluster import Cluster
from deploy.faults.sessions import LedgerFault

PLANT = """
    CREATE TABLE fault_hot_row (changes bigint NOT NULL);
    INSERT INTO fault_hot_row VALUES (0);
    CREATE FUNCTION fault_hot_row() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN UPDATE fault_hot_row SET changes = changes + 1; PERFORM pg_sleep({held_s}); RETURN NULL; END $$;
    CREATE TRIGGER fault_hot_row BEFORE INSERT ON commands
        FOR EACH STATEMENT EXECUTE FUNCTION fault_hot_row();
"""
UPROOT = """
    DROP TRIGGER IF EXISTS fault_hot_row ON commands;
    DROP FUNCTION IF EXISTS fault_hot_row();
    DROP TABLE IF EXISTS fault_hot_row;
"""


class HotRow(LedgerFault):
    """Each insert of a command changes one row and holds it for `held_ms` and its own commit."""

    kind: Literal["hot_row"] = "hot_row"
    held_ms: Annotated[float, Field(ge=0, le=1_000)] = 5.0

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        plant = sql.SQL(PLANT).format(held_s=sql.Literal(self.held_ms / 1000))
        with self.session(cluster) as session, session.transaction():
            session.execute(UPROOT)
            session.execute(plant)
        try:
            yield
        finally:
            with self.session(cluster) as session:
                uproot(session)


def uproot(session: psycopg.Connection[tuple[object, ...]]) -> None:
    with session.transaction():
        session.execute(UPROOT)
