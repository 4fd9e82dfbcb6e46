"""Bring a ledger's schema up to date: `python -m target_system.ledger.migrate DSN ...`."""

from __future__ import annotations

import sys
from pathlib import Path

from target_system import migration

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x1ED6E5


def migrate(dsn: str) -> None:
    migration.migrate(dsn, MIGRATIONS, LOCK)


def main() -> None:
    if len(sys.argv) < 2:
        print("usage: python -m target_system.ledger.migrate DSN ...", file=sys.stderr)
        raise SystemExit(2)
    for dsn in sys.argv[1:]:
        migrate(dsn)


if __name__ == "__main__":
    main()
