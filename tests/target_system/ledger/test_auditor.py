"""The auditor sees what no order may do to the stores, for as long as it stands."""

from __future__ import annotations

import psycopg
import pytest
import redis

from target_system.ledger import auditor
from target_system.ledger.auditor import Auditor, is_crossed
from target_system.ledger.projection import connect
from target_system.telemetry import Telemetry
from tests.target_system.ledger.conftest import NAMES, Bench, trade_at_random
from tests.target_system.ledger.test_settler import settle


async def test_a_lost_command_stays_in_sight_until_it_is_put_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditor, "COMMANDS", 10)
    monkeypatch.setattr(auditor, "EVERY_S", 0.0)
    telemetry = Telemetry("settler", "auditor")
    trade_at_random(bench.engine.book, 60)
    await settle(bench)
    async with connect(bench.redis_url, None, 1.0) as client:
        looking = Auditor(bench.shards, client, NAMES, 2.0, telemetry.metrics.get)

        async def lost() -> float:
            await looking.look(len(bench.engine.book.results))
            return float(telemetry.metrics.get("settler_audit_lost_commands")._value.get())

        assert await lost() == 0
        with psycopg.connect(bench.dsns[0], autocommit=True) as ledger:
            ledger.execute("CREATE TEMP TABLE gone AS SELECT * FROM commands WHERE sequence = 55")
            ledger.execute("DELETE FROM commands WHERE sequence = 55")
            assert await lost() == 1
            trade_at_random(bench.engine.book, 30, seed=2)
            for entry in bench.entries()[60:]:
                await bench.ledger.record(entry)
            assert await lost() == 1
            ledger.execute("INSERT INTO commands SELECT * FROM gone")
        assert await lost() == 0
    telemetry.close()


async def test_positions_that_do_not_cancel_out_are_counted_by_symbol(bench: Bench) -> None:
    telemetry = Telemetry("settler", "auditor")
    trade_at_random(bench.engine.book, 60)
    await settle(bench)
    with redis.Redis.from_url(bench.redis_url) as direct:
        direct.hincrby("position:1", "AAPL", 1)
        direct.hincrby("position:2", "MSFT", -3)
        direct.hincrby("position:2", "MSFT:cash", 7)
    async with connect(bench.redis_url, None, 1.0) as client:
        await Auditor(bench.shards, client, NAMES, 2.0, telemetry.metrics.get).look(len(bench.engine.book.results))
    assert telemetry.metrics.get("settler_audit_unbalanced_positions")._value.get() == 2
    telemetry.close()


@pytest.mark.parametrize(
    ("bid", "ask", "halted", "crossed"),
    [(10, 11, False, False), (10, 10, False, True), (11, 10, False, True), (11, 10, True, False)],
)
def test_a_book_is_crossed_when_a_bid_reaches_an_ask_and_it_trades(
    bid: int, ask: int, halted: bool, crossed: bool
) -> None:
    book = {"bids": [{"price_ticks": bid}], "asks": [{"price_ticks": ask}], "halted": halted}
    assert is_crossed(book) is crossed
    assert not is_crossed({**book, "asks": []})
