"""Bringing one database's schema up to date with alembic, for each component that keeps one."""

from __future__ import annotations

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine


def migrate(dsn: str, migrations: Path, lock: int, schema: str | None = None) -> None:
    """Apply every migration that is lacking, in one transaction; two at once, with one `lock`, wait for each other."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")
        if schema:
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
