"""Bring a ledger's schema up to date: `python -m target_system.ledger.migrate DSN ...`."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x1ED6E5  # two migrations of one ledger at once wait for each other


def migrate(dsn: str) -> None:
    """Apply every migration that this ledger lacks, all in one transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def main() -> None:
    if len(sys.argv) < 2:
        print("usage: python -m target_system.ledger.migrate DSN ...", file=sys.stderr)
        raise SystemExit(2)
    for dsn in sys.argv[1:]:
        migrate(dsn)


if __name__ == "__main__":
    main()
