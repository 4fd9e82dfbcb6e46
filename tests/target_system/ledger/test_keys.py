"""Keys are random, kept as hashes alone, and written for their owner alone; migrations may be repeated."""

from __future__ import annotations

import hashlib
import json
import stat
import subprocess
import sys
from pathlib import Path

import psycopg

from target_system.ledger.keys import create_keys
from target_system.ledger.migrate import migrate


def test_the_ledger_knows_only_the_hash_of_a_key(ledger_dsn: str) -> None:
    keys = create_keys(ledger_dsn, (1, 2))
    with psycopg.connect(ledger_dsn) as ledger:
        kept = dict(ledger.execute("SELECT account, key_sha256 FROM api_keys").fetchall())
    assert kept == {account: hashlib.sha256(key.encode()).digest() for account, key in keys.items()}


def test_the_command_writes_a_file_that_only_its_owner_reads(ledger_dsn: str, tmp_path: Path) -> None:
    out = tmp_path / "keys.json"
    command = [sys.executable, "-m", "target_system.ledger.keys", "--dsn", ledger_dsn, "--count", "3", "--out", out]
    subprocess.run(command, check=True)
    assert sorted(json.loads(out.read_text())) == ["1", "2", "3"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_migrating_an_up_to_date_ledger_changes_nothing(ledger_dsn: str) -> None:
    create_keys(ledger_dsn, (7,))
    migrate(ledger_dsn)
    with psycopg.connect(ledger_dsn) as ledger:
        assert ledger.execute("SELECT count(*) FROM api_keys").fetchone() == (1,)
