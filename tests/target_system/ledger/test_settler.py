"""The settler closes what crashes leave open."""

from __future__ import annotations

import asyncio
import time

import orjson
import psycopg
import redis

from target_system.ledger.projection import WATERMARK
from tests.servers import Postgres, eventually, redis_server
from tests.target_system.ledger.conftest import Bench, open_bench, trade_at_random


async def settle(bench: Bench) -> None:
    """Rounds until Redis has all that the engine gave, or the deadline."""
    until = time.monotonic() + 20
    with redis.Redis.from_url(bench.redis_url) as client:
        while int(client.get(WATERMARK) or 0) < len(bench.engine.book.results):
            assert time.monotonic() < until, "not settled within 20 s"
            await bench.settler.round()
            await asyncio.sleep(0.005)


def held(url: str) -> dict[bytes, dict[bytes, bytes]]:
    with redis.Redis.from_url(url) as client:
        return {key: client.hgetall(key) for key in client.scan_iter(match="position:*")}


async def test_what_the_gateways_never_wrote_is_inserted(bench: Bench) -> None:
    trade_at_random(bench.engine.book, 60)
    for entry in bench.entries():
        if entry.sequence % 3:
            await bench.ledger.record(entry)
    await settle(bench)
    with psycopg.connect(bench.dsns[0]) as ledger:
        found = ledger.execute("SELECT sequence FROM commands ORDER BY sequence").fetchall()
        trades = ledger.execute("SELECT count(*), max(trade_id) FROM trades").fetchone()
    assert [row[0] for row in found] == list(range(1, len(bench.engine.book.results) + 1))
    assert trades == (bench.engine.book.trades, bench.engine.book.trades)


async def test_an_emptied_redis_is_rebuilt_to_the_same_positions(bench: Bench) -> None:
    trade_at_random(bench.engine.book, 60)
    async with bench.projection() as projection:
        for entry in bench.entries():
            await bench.ledger.record(entry)
            assert await projection.apply(entry)
    before = held(bench.redis_url)
    with redis.Redis.from_url(bench.redis_url) as client:
        client.flushall()
    await settle(bench)
    assert before
    assert held(bench.redis_url) == before


async def test_commands_that_redis_has_out_of_order_are_not_applied_again(bench: Bench) -> None:
    trade_at_random(bench.engine.book, 40)
    async with bench.projection() as projection:
        for entry in reversed(bench.entries()):
            await bench.ledger.record(entry)
            if entry.sequence % 2:
                await projection.apply(entry)
    await settle(bench)
    once = held(bench.redis_url)
    with redis.Redis.from_url(bench.redis_url) as client:
        client.flushall()
    await settle(bench)
    assert held(bench.redis_url) == once


async def test_the_last_books_are_in_redis(bench: Bench) -> None:
    trade_at_random(bench.engine.book, 40)
    await settle(bench)
    with redis.Redis.from_url(bench.redis_url) as client:
        book = orjson.loads(client.get("book:MSFT"))
    best = [level.price_ticks for level in bench.engine.book.levels(1, 1, 10)]
    assert [level["price_ticks"] for level in book["bids"]] == best
    assert book["sequence"] == len(bench.engine.book.results)


async def test_with_shards_a_hole_is_filled_where_it_belongs(postgres: Postgres, redis_url: str) -> None:
    dsns = tuple(postgres.new_ledger() for _ in range(3))
    async with open_bench(dsns, redis_url) as bench:
        trade_at_random(bench.engine.book, 60)
        for entry in bench.entries()[::2]:
            await bench.ledger.record(entry)
        await settle(bench)
        total = 0
        for shard, dsn in enumerate(dsns):
            with psycopg.connect(dsn) as ledger:
                rows = ledger.execute("SELECT symbol, order_id FROM commands").fetchall()
            total += len(rows)
            assert {bench.symbols.shard_of(symbol, order_id) for symbol, order_id in rows} == {shard}
    assert total == len(bench.engine.book.results)


async def test_a_redis_that_is_away_stops_neither_the_ledger_nor_the_settler(ledger_dsn: str) -> None:
    with redis_server() as server:
        async with open_bench((ledger_dsn,), server.url) as bench:
            trade_at_random(bench.engine.book, 20)
            server.kill()
            await settle_ledger(bench)
            server.start()
            await settle(bench)
            await wait_for_log(bench, b'"server_back"')


async def settle_ledger(bench: Bench) -> None:
    until = time.monotonic() + 20
    while bench.settler.ledger_mark < len(bench.engine.book.results):
        assert time.monotonic() < until, "not settled within 20 s"
        await bench.settler.round()
        await asyncio.sleep(0.005)


async def wait_for_log(bench: Bench, text: bytes) -> None:
    await eventually(lambda: text in bench.log.getvalue(), f"{text!r} is in the log")
