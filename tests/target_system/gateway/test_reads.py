"""Books and portfolios come from Redis, and from elsewhere while Redis is away; operations tell of the gateway."""

from __future__ import annotations

from typing import NoReturn

import orjson
import psycopg
import redis
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.servers import eventually, redis_server
from tests.target_system.gateway.conftest import Desk, open_desk


async def test_a_book_that_redis_lacks_comes_from_the_engine(desk: Desk) -> None:
    await desk.alice.post("/v1/orders", json=desk.order())
    book = (await desk.bob.get("/v1/book/AAPL")).json()
    assert book["bids"] == [{"price_ticks": 100, "quantity_lots": 10, "orders": 1}]
    assert (book["asks"], book["sequence"]) == ([], 1)


async def test_a_book_that_redis_has_is_given_as_it_is(desk: Desk, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("book:AAPL", b'{"symbol":"AAPL","sequence":7}')
    assert (await desk.bob.get("/v1/book/AAPL")).json() == {"symbol": "AAPL", "sequence": 7}


async def test_orders_are_acknowledged_and_portfolios_told_while_redis_is_away(ledger_dsn: str) -> None:
    with redis_server() as server:
        async with open_desk(ledger_dsn, server.url, redis_deadline_ms=100) as desk:
            server.kill()
            await desk.alice.post("/v1/orders", json=desk.order())
            answer = await desk.bob.post("/v1/orders", json=desk.order(side="sell", quantity_lots=4))
            assert (answer.status_code, answer.json()["outcome"]) == (201, "filled")
            told = (await desk.bob.get("/v1/portfolio")).json()
            assert (told["source"], told["positions"]) == ("ledger", [{"symbol": "AAPL", "lots": -4, "cash": 400}])
            assert (await desk.alice.get("/v1/book/AAPL")).json()["bids"][0]["quantity_lots"] == 6


async def test_readyz_names_what_is_missing(desk: Desk) -> None:
    assert (await desk.alice.get("/readyz")).status_code == 200
    desk.gateway.begin_stop()
    answer = await desk.alice.get("/readyz")
    assert (answer.status_code, "stopping" in answer.json()["detail"]) == (503, True)
    assert (await desk.alice.get("/healthz")).status_code == 200
    assert (await desk.alice.post("/v1/orders", json=desk.order())).status_code == 201


async def test_a_gateway_that_no_longer_follows_the_engine_says_so(desk: Desk) -> None:
    async def fail(_: int) -> NoReturn:
        raise ValueError("not what was expected")

    desk.gateway.follower._results = fail
    await eventually(lambda: bool(desk.gateway.not_ready()), "the follower has ended")
    answer = await desk.alice.get("/readyz")
    assert (answer.status_code, "the follower of open orders" in answer.json()["detail"]) == (503, True)


async def test_an_engine_with_other_symbols_is_not_traded_with(ledger_dsn: str, redis_url: str) -> None:
    async with open_desk(ledger_dsn, redis_url) as desk:
        await eventually(lambda: bool(desk.engine.streams), "the engine serves the stream")
        desk.engine.book.symbols = ("OTHER",)
        desk.engine.break_streams()
        await eventually(lambda: b'"engine_unlike"' in desk.log.getvalue(), "the difference is logged")
        assert (await desk.alice.get("/readyz")).status_code == 503


async def test_metrics_are_openmetrics_and_count_what_was_answered(desk: Desk) -> None:
    await desk.alice.post("/v1/orders", json=desk.order())
    await desk.alice.post("/v1/orders", json=desk.order(side="none"))
    answer = await desk.alice.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    counted = {
        (sample.labels["endpoint"], sample.labels["outcome"]): sample.value
        for sample in families["gateway_request_seconds"].samples
        if sample.name.endswith("_count")
    }
    assert {key: count for key, count in counted.items() if count} == {
        ("POST /v1/orders", "ok"): 1.0, ("POST /v1/orders", "invalid"): 1.0,
    }  # fmt: skip
    assert counted["POST /v1/orders", "unknown"] == 0.0, "errors are counted from 0 on"


async def test_each_order_leaves_one_line_in_the_log(desk: Desk) -> None:
    await desk.alice.post("/v1/orders", json=desk.order())
    await eventually(lambda: b'"order"' in desk.log.getvalue(), "the line is written")
    lines = [orjson.loads(line) for line in desk.log.getvalue().splitlines()]
    (line,) = [line for line in lines if line["event"] == "order"]
    told = {
        name: line[name] for name in ("component", "instance", "order_id", "sequence", "outcome", "status", "account")
    }
    assert told == {
        "component": "gateway", "instance": "gateway-1", "order_id": 1, "sequence": 1, "outcome": "resting",
        "status": 201, "account": 1,
    }  # fmt: skip
    stages = [line[f"{stage}_us"] for stage in ("validate", "engine", "ledger", "publish")]
    assert 0 <= sum(stages) <= line["total_us"]


async def test_the_history_is_read_newest_first_a_page_at_a_time(desk: Desk) -> None:
    with psycopg.connect(desk.dsn) as connection, connection.cursor() as cursor:
        rows = [(n, n, "AAPL", 100 + n, 5, 1 + n % 2, n * 10**9) for n in range(1, 6)]
        cursor.executemany("INSERT INTO history.trades VALUES (%s, %s, %s, %s, %s, %s, %s)", rows)
        cursor.execute("INSERT INTO history.candles VALUES ('AAPL', 60, 0, 101, 105, 101, 105, 25, 5, 1, 5)")
    first = (await desk.alice.get("/v1/history/AAPL/trades?limit=2")).json()
    assert [(t["trade_id"], t["taker_side"]) for t in first["trades"]] == [(5, "sell"), (4, "buy")]
    rest = (await desk.alice.get("/v1/history/AAPL/trades?before=4")).json()
    assert [trade["trade_id"] for trade in rest["trades"]] == [3, 2, 1]
    (candle,) = (await desk.alice.get("/v1/history/AAPL/candles?width=1m")).json()["candles"]
    assert (candle["open_ticks"], candle["close_ticks"], candle["trades"]) == (101, 105, 5)
    assert (await desk.alice.get("/v1/history/AAPL/candles?width=1s")).json()["candles"] == []
    assert (await desk.alice.get("/v1/history/NONE/trades")).status_code == 404
