"""What the ledger holds after an entry was recorded once, twice, or over a connection that broke."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from target_system.ledger.connections import Connections, LedgerAway
from target_system.ledger.settler import SilentWatcher
from target_system.ledger.write_path import PerOrder
from tests.target_system.ledger.conftest import Bench, trade_at_random


def counts(dsn: str) -> tuple[int, int]:
    with psycopg.connect(dsn) as ledger:
        row = ledger.execute("SELECT (SELECT count(*) FROM commands), (SELECT count(*) FROM trades)").fetchone()
    assert row is not None
    return row


async def test_recording_an_entry_twice_at_once_adds_it_once(bench: Bench) -> None:
    trade_at_random(bench.engine.book, 30)
    for entry in bench.entries():
        await asyncio.gather(bench.ledger.record(entry), bench.ledger.record(entry))
    assert counts(bench.dsns[0]) == (len(bench.engine.book.results), bench.engine.book.trades)


async def test_an_insert_goes_on_over_a_new_connection_when_the_server_cuts_the_old_ones(bench: Bench) -> None:
    trade_at_random(bench.engine.book, 5)
    retries = []
    ledger = PerOrder(bench.shards, 5.0, lambda: retries.append(1))
    first, *others = bench.entries()
    await ledger.record(first)
    with psycopg.connect(bench.dsns[0], autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ledger'")
    for entry in others:
        await ledger.record(entry)
    assert counts(bench.dsns[0])[0] == len(bench.engine.book.results)


async def test_a_locked_ledger_is_reported_away_at_the_deadline(bench: Bench) -> None:
    trade_at_random(bench.engine.book, 1)
    with psycopg.connect(bench.dsns[0]) as admin:
        admin.execute("LOCK TABLE commands")
        with pytest.raises(LedgerAway):
            await PerOrder(bench.shards, 0.2, lambda: None).record(bench.entries()[0])
    await bench.ledger.record(bench.entries()[0])
    assert counts(bench.dsns[0])[0] == 1


async def test_a_ledger_that_nobody_serves_is_away_and_waiting_for_it_ends() -> None:
    shard = Connections("postgresql://postgres@127.0.0.1:1/none", 1, "1", SilentWatcher(), 1_000)
    shard.start()
    with pytest.raises(LedgerAway):
        await shard.acquire(0.1)
    assert (shard.open_count, shard.waiting) == (0, 0)
    await shard.close()
