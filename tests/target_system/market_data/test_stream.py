"""What clients of /v1/stream get: books that are the engine's, without a silent gap, however slow another client is."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Close

from target_system.trade_stream import FIELD, STREAM, decode
from tests.servers import Redis, eventually
from tests.target_system.engine.conftest import Start
from tests.target_system.engine.server import EngineServer
from tests.target_system.engine.test_market_data import levels, trade_at_random
from tests.target_system.market_data.desk import Desk, Watcher, open_desk, watching


async def assert_same_books(engine: EngineServer, watcher: Watcher) -> None:
    last = engine.status().last_sequence
    await eventually(lambda: watcher.sequence >= last, f"everything up to {last}")
    for index, book in enumerate(watcher.books.values()):
        assert (book["bids"], book["asks"], book["halted"]) == levels(engine.book(index, depth=1000))


async def test_clients_of_any_moment_have_the_engines_books_and_every_trade(engine: EngineServer, desk: Desk) -> None:
    async with watching(desk) as early:
        results = await asyncio.to_thread(trade_at_random, engine, 5, 1, 1_000)
        async with watching(desk, "?symbols=AAPL,CSCO") as late:
            results += await asyncio.to_thread(trade_at_random, engine, 6, 1_001, 1_000)
            await assert_same_books(engine, early)
            await assert_same_books(engine, late)
    traded = [(fill.trade_id, fill.price_ticks, fill.quantity_lots) for r in results for fill in r.fills]
    told = sorted((t["trade_id"], t["price_ticks"], t["quantity_lots"]) for t in early.trades)
    assert told == traded


async def test_a_client_gets_only_what_it_asked_for(engine: EngineServer, desk: Desk) -> None:
    async with watching(desk, "?symbols=CSCO") as watcher:
        engine.buy(100, 5)
        engine.buy(101, 7, symbol=1)
        await eventually(lambda: watcher.sequence >= 2, "both orders")
        assert {symbol: book["bids"] for symbol, book in watcher.books.items()} == {"CSCO": {101: 7}}


@pytest.mark.parametrize(
    ("query", "key", "status", "kind"),
    [("", "no-such-key", 401, "unauthenticated"), ("?symbols=AAPL,NONE", None, 422, "unknown-symbol")],
)
async def test_a_client_without_a_right_to_it_is_refused_with_a_problem(
    desk: Desk, query: str, key: str | None, status: int, kind: str
) -> None:
    desk.key = key or desk.key
    with pytest.raises(InvalidStatus) as refused:
        async with desk.connect(query):
            pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body)["type"] == f"/problems/{kind}"
    assert desk.metric("market_data_refused_clients_total", kind) == 1


async def test_who_does_not_read_is_dropped_with_the_reason_while_another_gets_everything(
    engine: EngineServer, desk: Desk
) -> None:
    long = json.dumps({"type": "heartbeat", "sequence": 0, "engine_connected": True, "padding": "x" * 100_000})
    async with watching(desk) as reader:
        (reads,) = desk.service.clients.all
        idle = await desk.connect(max_queue=1, ping_interval=None)
        for _ in range(1_000):
            desk.service.clients.tell_all(long)
            await eventually(lambda: reads.waiting_bytes == 0, "the reader has read")
            if desk.metric("market_data_dropped_clients_total"):
                break
        await asyncio.to_thread(trade_at_random, engine, 1, 1, 500)
        await assert_same_books(engine, reader)
        closed = await end_of(idle)
    assert (closed.code, closed.reason.partition(":")[0]) == (1013, "too slow")
    await eventually(lambda: b"client_dropped" in desk.log.getvalue(), "the line is written")


async def end_of(connection: ClientConnection) -> Close:
    """Reads what was sent before, up to the close."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await connection.recv()
    assert connection.protocol.close_rcvd is not None
    return connection.protocol.close_rcvd


async def test_after_the_engine_was_killed_clients_get_fresh_snapshots_of_what_was_on_disk(
    start: Start, ledger_dsn: str, redis_url: str
) -> None:
    engine = start()
    port = engine.events[-1]["port"]
    async with open_desk(engine, ledger_dsn, redis_url) as desk, watching(desk) as watcher:
        await asyncio.to_thread(trade_at_random, engine, 1, 1, 500)
        engine.kill()
        await eventually(lambda: not watcher.engine_connected, "the heartbeat says that the engine is away")
        again = start(listen=f"127.0.0.1:{port}")
        await eventually(lambda: watcher.engine_connected, "the engine is back")
        assert watcher.snapshots == 4
        await asyncio.to_thread(trade_at_random, again, 2, 501, 500)
        await assert_same_books(again, watcher)
        assert desk.metric("market_data_resyncs_total") == 2
        assert desk.metric("market_data_gaps_total") == 0


async def test_trades_go_to_the_historys_stream_and_are_skipped_while_redis_is_away(
    engine: EngineServer, desk: Desk, shared_redis: Redis
) -> None:
    results = await asyncio.to_thread(trade_at_random, engine, 1, 1, 500)
    traded = [(fill.trade_id, r.sequence) for r in results for fill in r.fills]
    await eventually(lambda: desk.metric("market_data_trades_published_total") == len(traded), "all are published")
    with shared_redis.client() as client:
        entries = client.xrange(STREAM)
    assert sorted((t.trade_id, t.sequence) for _, fields in entries for t in decode(fields[FIELD])) == traded
    shared_redis.kill()
    try:
        more = await asyncio.to_thread(trade_at_random, engine, 2, 501, 200)
        count = sum(len(result.fills) for result in more)
        await eventually(lambda: desk.metric("market_data_trades_skipped_total") == count, "they are skipped")
    finally:
        shared_redis.start()
