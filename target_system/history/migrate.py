"""Bring the history's schema up to date: `python -m target_system.history.migrate DSN`."""

from __future__ import annotations

import sys
from pathlib import Path

from target_system import migration

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x415704
SCHEMA = "history"


def migrate(dsn: str) -> None:
    migration.migrate(dsn, MIGRATIONS, LOCK, SCHEMA)


def main() -> None:
    if len(sys.argv) != 2:
        print("usage: python -m target_system.history.migrate DSN", file=sys.stderr)
        raise SystemExit(2)
    migrate(sys.argv[1])


if __name__ == "__main__":
    main()
