"""A reconciliation finds nothing where nothing is wrong, and each planted difference by its kind and place."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
import redis

from target_system.ledger.reconcile import Reconciliation, Stores, reconcile
from tests.servers import Postgres
from tests.target_system.ledger.conftest import Bench, open_bench, trade_at_random
from tests.witness import write_books, write_results


def acknowledgements(bench: Bench) -> pa.Table:
    results = bench.engine.book.results
    columns: dict[str, list[object]] = {
        "account": [r.command.account for r in results],
        "client_order_id": [r.command.client_order_id for r in results],
        "kind": ["cancel" if r.command.kind == 2 else "new" for r in results],
        "order_id": [r.order_id for r in results],
        "sequence": [r.sequence for r in results],
        "is_acknowledged": [True] * len(results),
        "is_in_doubt": [False] * len(results),
    }
    return pa.table(columns)


@pytest.fixture
async def settled(bench: Bench) -> Bench:
    """Everything in step."""
    await put_in_step(bench)
    return bench


async def put_in_step(bench: Bench) -> None:
    trade_at_random(bench.engine.book, 200)
    async with bench.projection() as projection:
        for entry in bench.entries():
            await bench.ledger.record(entry)
            assert await projection.apply(entry)


async def run(bench: Bench, folder: Path, acks: pa.Table | None = None, wait_s: float = 5.0) -> Reconciliation:
    import asyncio

    stores = Stores(bench.dsns, bench.redis_url, None, bench.target)
    results = folder / "results.jsonl"
    books = folder / "books.json"
    if not results.exists():
        write_results(bench.engine.book, results)
        write_books(bench.engine.book, books)
    told = acknowledgements(bench) if acks is None else acks
    return await asyncio.to_thread(reconcile, told, stores, results, books, wait_s)


def change(bench: Bench, sql: str) -> None:
    with psycopg.connect(bench.dsns[0]) as ledger:
        ledger.execute(sql)


async def test_nothing_is_found_where_nothing_is_wrong(settled: Bench, tmp_path: Path) -> None:
    found = await run(settled, tmp_path)
    assert found == Reconciliation(len(settled.engine.book.results), 0, 0, 0, 0, 0, 0, (), found.fairness)


async def test_an_idle_pipeline_reconciles(bench: Bench, tmp_path: Path) -> None:
    assert (await run(bench, tmp_path)).agrees


async def test_three_shards_reconcile_as_one(postgres: Postgres, redis_url: str, tmp_path: Path) -> None:
    async with open_bench(tuple(postgres.new_ledger() for _ in range(3)), redis_url) as bench:
        await put_in_step(bench)
        assert (await run(bench, tmp_path)).agrees


async def test_a_lost_order_is_a_loss_and_a_hole(settled: Bench, tmp_path: Path) -> None:
    change(settled, "DELETE FROM commands WHERE sequence = 7")
    found = await run(settled, tmp_path, wait_s=0.1)
    assert (found.lost, found.holes) == (1, 1)
    assert any("not settled" in difference.what for difference in found.differences)


async def test_a_lost_trade_is_a_hole_and_shows_in_the_positions(settled: Bench, tmp_path: Path) -> None:
    change(settled, "DELETE FROM trades WHERE trade_id = 3")
    found = await run(settled, tmp_path)
    assert found.holes == 1
    assert any("trades give" in difference.what for difference in found.differences)


async def test_a_changed_row_is_named_with_both_values(settled: Bench, tmp_path: Path) -> None:
    change(settled, "UPDATE commands SET filled_lots = filled_lots + 1 WHERE sequence = 9")
    found = await run(settled, tmp_path)
    assert [d.where for d in found.differences] == ["sequence 9"]
    assert found.differences[0].what.startswith("filled_lots: ledger")


async def test_a_doubled_identity_is_a_duplicate(settled: Bench, tmp_path: Path) -> None:
    change(settled, "ALTER TABLE commands DROP CONSTRAINT commands_account_client_order_id_key")
    change(settled, "UPDATE commands SET account = 1, client_order_id = 'twice' WHERE sequence IN (3, 4)")
    assert (await run(settled, tmp_path)).duplicated == 1


async def test_another_side_than_the_orders_is_found(settled: Bench, tmp_path: Path) -> None:
    maker = "(SELECT maker_order_id FROM trades WHERE trade_id = 1)"
    change(settled, f"UPDATE commands SET side = 3 - side WHERE sequence = {maker}")
    found = await run(settled, tmp_path)
    assert any(d.where == "trade 1" and d.what.startswith("both its orders") for d in found.differences)


async def test_a_wrong_position_in_redis_is_found(settled: Bench, tmp_path: Path) -> None:
    with redis.Redis.from_url(settled.redis_url) as client:
        client.hincrby("position:1", "AAPL", 5)
    found = await run(settled, tmp_path)
    assert [d.where for d in found.differences] == ["account 1, AAPL"]


async def test_a_book_unlike_the_replayed_one_is_found(settled: Bench, tmp_path: Path) -> None:
    write_results(settled.engine.book, tmp_path / "results.jsonl")
    write_books(settled.engine.book, tmp_path / "books.json")
    settled.engine.book.in_priority()[0].quantity_lots += 1
    found = await run(settled, tmp_path)
    assert [d.where for d in found.differences] == ["book, place 1"]


async def test_a_client_told_otherwise_than_the_ledger_is_found(settled: Bench, tmp_path: Path) -> None:
    acks = acknowledgements(settled)
    told = acks.column("sequence").to_pylist()
    told[4] += 1000
    index = acks.schema.get_field_index("sequence")
    found = await run(settled, tmp_path, acks.set_column(index, "sequence", pa.array(told)))
    assert (found.mismatched, found.lost) == (1, 0)


async def test_a_client_told_that_nothing_was_done_is_found_where_the_ledger_has_it(
    settled: Bench, tmp_path: Path
) -> None:
    """Unless the same order was sent again, and that was acknowledged or is in doubt."""
    told = {"account": 1, "kind": "new", "order_id": 0, "sequence": 0, "is_acknowledged": False, "is_in_doubt": False}
    first, second, *_ = (r.command.client_order_id for r in settled.engine.book.results if r.command.account == 1)
    acks = [
        {**told, "client_order_id": first},
        {**told, "client_order_id": second},
        {**told, "client_order_id": second, "is_in_doubt": True},
        {**told, "client_order_id": "never-arrived"},
    ]
    found = await run(settled, tmp_path, pa.Table.from_pylist(acks))
    assert [d.where for d in found.differences] == [f"account 1, client order id {first}"]
    assert found.mismatched == 1


async def test_requests_without_an_answer_are_resolved_by_the_ledger(settled: Bench, tmp_path: Path) -> None:
    doubtful = pa.table(
        {
            "account": [1, 1], "client_order_id": ["o-1-0", "never-arrived"], "kind": ["new", "new"],
            "order_id": [0, 0], "sequence": [0, 0], "is_acknowledged": [False, False], "is_in_doubt": [True, True],
        }
    )  # fmt: skip
    found = await run(settled, tmp_path, doubtful)
    assert (found.acknowledged, found.in_doubt, found.resolved) == (0, 0, 2)
