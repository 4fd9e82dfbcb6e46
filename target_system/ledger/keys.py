"""API keys: made here, kept as hashes. `python -m target_system.ledger.keys --dsn DSN --count N --out FILE`."""

from __future__ import annotations

import argparse
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import psycopg

from target_system.ledger.queries import key_hash


def create_keys(dsn: str, accounts: Iterable[int], is_operator: bool = False) -> dict[int, str]:
    """One new key for each account, stored as its hash; the plain keys are returned and kept nowhere else."""
    keys = {account: secrets.token_urlsafe(32) for account in accounts}
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO api_keys (key_sha256, account, is_operator) VALUES (%s, %s, %s)",
            [(key_hash(key.encode()), account, is_operator) for account, key in keys.items()],
        )
    return keys


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m target_system.ledger.keys", description=__doc__)
    parser.add_argument("--dsn", required=True, help="the ledger; with shards the first one")
    parser.add_argument("--count", type=int, required=True, help="accounts 1 to N get a key each")
    parser.add_argument("--out", type=Path, required=True, help="JSON: account -> key, readable by its owner alone")
    parser.add_argument("--operator", action="store_true", help="keys of operators, who halt and kill but cannot trade")
    given = parser.parse_args()
    keys = create_keys(given.dsn, range(1, given.count + 1), given.operator)
    with os.fdopen(os.open(given.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(keys, file)


if __name__ == "__main__":
    main()
