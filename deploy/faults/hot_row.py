"""One row that every order has to change: a counter in a trigger, the classic way to make a parallel ledger serial."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from psycopg import sql
from pydantic import Field

from deploy.faults.sessions import TriggerFault

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


class HotRow(TriggerFault):
    """Each insert of a command changes one row and holds it for `held_ms` and its own commit."""

    uproot: ClassVar[str] = UPROOT
    kind: Literal["hot_row"] = "hot_row"
    held_ms: Annotated[float, Field(ge=0, le=1_000)] = 5.0

    def plant(self) -> sql.Composed:
        return sql.SQL(PLANT).format(held_s=self.held_ms / 1000)
