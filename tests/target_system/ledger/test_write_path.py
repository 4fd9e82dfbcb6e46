"""What the ledger holds after an entry was recorded once, twice, or over a connection that broke."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from target_system.ledger.connections import Connections, LedgerAway, SilentWatcher
from target_system.ledger.queries import recorded
from target_system.ledger.rows import COMMAND_COLUMNS, Entry
from target_system.ledger.write_path import Group, PerOrder
from tests.servers import Postgres
from tests.target_system.ledger.conftest import Bench, trade_at_random


def counts(dsn: str) -> tuple[int, int]:
    with psycopg.connect(dsn) as ledger:
        row = ledger.execute("SELECT (SELECT count(*) FROM commands), (SELECT count(*) FROM trades)").fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize("kind", [PerOrder, Group])
async def test_recording_an_entry_twice_at_once_adds_it_once(bench: Bench, kind: type[PerOrder | Group]) -> None:
    trade_at_random(bench.engine.book, 30)
    one, other = (kind(bench.shards, 2.0, lambda: None) for _ in range(2))
    for entry in bench.entries():
        await asyncio.gather(one.record(entry), other.record(entry))
    assert counts(bench.dsns[0]) == (len(bench.engine.book.results), bench.engine.book.trades)


async def test_a_command_and_its_repeat_in_one_group_are_added_once(bench: Bench) -> None:
    trade_at_random(bench.engine.book, 30)
    group = Group(bench.shards, 2.0, lambda: None)
    await asyncio.gather(*(group.record(entry) for entry in bench.entries() for _ in range(2)))
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


async def test_a_group_holds_the_same_rows_as_commits_one_by_one(bench: Bench, postgres: Postgres) -> None:
    trade_at_random(bench.engine.book, 400)
    other = Connections(postgres.new_ledger(), 2, "1", SilentWatcher(), 2_000)
    other.start()
    group = Group([other], 2.0, lambda: None)
    await asyncio.gather(*(group.record(entry) for entry in bench.entries()))
    for entry in bench.entries():
        await bench.ledger.record(entry)
    one_by_one, grouped = (rows(dsn) for dsn in (bench.dsns[0], other.dsn))
    await other.close()
    assert grouped == one_by_one


async def test_an_entry_of_a_group_is_in_the_ledger_when_it_is_answered(bench: Bench) -> None:
    trade_at_random(bench.engine.book, 60)
    group = Group(bench.shards, 2.0, lambda: None)

    async def record(entry: Entry) -> bool:
        await group.record(entry)
        return bool(await recorded(bench.shards, entry.sequence, entry.sequence, 2.0))

    assert all(await asyncio.gather(*(record(entry) for entry in bench.entries())))


async def test_every_order_of_a_group_hears_that_the_ledger_is_away(bench: Bench) -> None:
    trade_at_random(bench.engine.book, 20)
    group = Group(bench.shards, 0.3, lambda: None)
    with psycopg.connect(bench.dsns[0]) as admin:
        admin.execute("LOCK TABLE commands")
        heard = await asyncio.gather(*(group.record(entry) for entry in bench.entries()), return_exceptions=True)
    assert {type(error) for error in heard} == {LedgerAway}
    await asyncio.gather(*(Group(bench.shards, 2.0, lambda: None).record(entry) for entry in bench.entries()))
    assert counts(bench.dsns[0])[0] == len(bench.engine.book.results)


def rows(dsn: str) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    columns = ", ".join(COMMAND_COLUMNS)
    with psycopg.connect(dsn) as ledger:
        commands = ledger.execute(f"SELECT {columns} FROM commands ORDER BY sequence").fetchall()
        return commands, ledger.execute("SELECT * FROM trades ORDER BY trade_id").fetchall()


async def test_of_a_bounded_pool_no_more_connections_work_until_it_is_unbounded(postgres: Postgres) -> None:
    pool = Connections(postgres.new_ledger(), 3, "1", SilentWatcher(), 2_000)
    pool.start()
    one = await pool.acquire(5.0)
    pool.bound(1)
    with pytest.raises(LedgerAway):
        await pool.acquire(0.2)
    pool.bound(3)
    others = [await pool.acquire(5.0) for _ in range(2)]
    pool.bound(2)
    for connection in (one, *others):
        pool.release(connection)
    assert (pool.open_count, pool.free, pool.withheld) == (3, 2, 1)
    await pool.close()
