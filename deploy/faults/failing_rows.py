"""A ledger that refuses a share of what it is given: a corrupt page, a constraint that a migration got wrong."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from psycopg import sql
from pydantic import Field

from deploy.faults.sessions import TriggerFault

PLANT = """
    CREATE FUNCTION fault_failing_rows() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF floor((NEW.sequence + 1) * {share}) > floor(NEW.sequence * {share})
                AND extract(epoch FROM clock_timestamp()) * 1e9 - NEW.received_ns < 5e8
            THEN RAISE EXCEPTION 'planted'; END IF;
            RETURN NEW;
        END $$;
    CREATE TRIGGER fault_failing_rows BEFORE INSERT ON commands FOR EACH ROW EXECUTE FUNCTION fault_failing_rows();
"""
"""Evenly spread over the sequence numbers. Half a second later they are taken: the gateway has given up, and the
settler, whose grace is longer, closes the hole."""
UPROOT = """
    DROP TRIGGER IF EXISTS fault_failing_rows ON commands;
    DROP FUNCTION IF EXISTS fault_failing_rows();
"""


class FailingRows(TriggerFault):
    """A share of the commands is refused when a gateway inserts it; the settler, a second later, may."""

    uproot: ClassVar[str] = UPROOT
    kind: Literal["failing_rows"] = "failing_rows"
    share: Annotated[float, Field(gt=0, le=1)]

    def plant(self) -> sql.Composed:
        return sql.SQL(PLANT).format(share=self.share)
