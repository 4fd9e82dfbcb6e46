"""Orders through the API: what is answered, and what is in the ledger and in Redis then."""

from __future__ import annotations

import asyncio

import psycopg

from tests.servers import eventually
from tests.target_system.gateway.conftest import Desk


async def test_an_order_that_finds_no_other_side_rests(desk: Desk) -> None:
    answer = await desk.alice.post("/v1/orders", json=desk.order())
    assert (answer.status_code, answer.json()) == (
        201,
        {
            "order_id": 1, "sequence": 1, "client_order_id": "a-1", "outcome": "resting", "filled_lots": 0,
            "remaining_lots": 10, "cancelled_lots": 0, "fills": [],
        },
    )  # fmt: skip


async def test_a_trade_is_in_the_ledger_and_in_both_portfolios(desk: Desk) -> None:
    await desk.alice.post("/v1/orders", json=desk.order())
    answer = await desk.bob.post("/v1/orders", json=desk.order(side="sell", price_ticks=90, quantity_lots=4))
    assert answer.json()["fills"] == [{"trade_id": 1, "maker_order_id": 1, "price_ticks": 100, "quantity_lots": 4}]
    with psycopg.connect(desk.dsn) as ledger:
        rows = ledger.execute("SELECT taker_account, maker_account, price_ticks, quantity_lots FROM trades").fetchall()
    assert rows == [(2, 1, 100, 4)]
    mine, other = (await desk.alice.get("/v1/portfolio")).json(), (await desk.bob.get("/v1/portfolio")).json()
    assert mine["positions"] == [{"symbol": "AAPL", "lots": 4, "cash": -400}]
    assert other["positions"] == [{"symbol": "AAPL", "lots": -4, "cash": 400}]


async def test_a_repeat_gets_the_first_answer_and_makes_no_second_order(desk: Desk) -> None:
    first = await desk.alice.post("/v1/orders", json=desk.order())
    await desk.bob.post("/v1/orders", json=desk.order(side="sell"))
    again = await desk.alice.post("/v1/orders", json=desk.order())
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")


async def test_another_order_under_the_same_client_order_id_is_a_conflict(desk: Desk) -> None:
    await desk.alice.post("/v1/orders", json=desk.order())
    answer = await desk.alice.post("/v1/orders", json=desk.order(quantity_lots=11))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/client-order-id-used")


async def test_a_cancel_takes_the_order_out_and_may_be_repeated(desk: Desk) -> None:
    await desk.alice.post("/v1/orders", json=desk.order())
    first = await desk.alice.delete("/v1/orders/1")
    again = await desk.alice.delete("/v1/orders/1")
    assert (first.status_code, first.json()["outcome"], first.json()["cancelled_lots"]) == (200, "cancelled", 10)
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert (await desk.alice.get("/v1/orders/1")).json()["status"] == "cancelled"


async def test_the_books_refusal_is_a_problem_with_its_reason_and_is_sequenced(desk: Desk) -> None:
    await desk.alice.post("/v1/orders", json=desk.order())
    answer = await desk.bob.delete("/v1/orders/1")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["reason"], answer.json()["sequence"]) == ("no_such_order", 2)


async def test_an_order_shows_its_later_fills(desk: Desk) -> None:
    await desk.alice.post("/v1/orders", json=desk.order())
    await desk.bob.post("/v1/orders", json=desk.order(side="sell", type="market", price_ticks=None, quantity_lots=3))
    state = (await desk.alice.get("/v1/orders/1")).json()
    assert (state["status"], state["filled_lots"], state["remaining_lots"]) == ("open", 3, 7)
    assert (await desk.bob.get("/v1/orders/1")).status_code == 404


async def test_orders_of_one_turn_share_a_message_to_the_engine(desk: Desk) -> None:
    orders = [desk.order(client_order_id=f"a-{n}") for n in range(20)]
    answers = await asyncio.gather(*(desk.alice.post("/v1/orders", json=order) for order in orders))
    assert sorted(answer.json()["sequence"] for answer in answers) == list(range(1, 21))
    assert max(desk.engine.batches) > 1


async def test_a_broken_stream_is_opened_again_and_nothing_is_lost(desk: Desk) -> None:
    desk.engine.is_silent = True
    waiting = asyncio.create_task(desk.alice.post("/v1/orders", json=desk.order()))
    await eventually(lambda: bool(desk.engine.book.results), "the engine has the order")
    desk.engine.is_silent = False
    desk.engine.break_streams()
    answer = await waiting
    assert (answer.status_code, answer.json()["sequence"]) == (201, 1)
    assert len(desk.engine.book.results) == 1
