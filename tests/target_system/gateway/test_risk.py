"""Each risk rule through the API, with the portfolio in each of its places; what repeats, crashes and starts do."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.servers import eventually
from tests.target_system.gateway.conftest import Desk, open_desk

LIMITS: dict[str, Any] = {
    "quantity_lots_max": 20, "notional_max": 3_000, "collar_bps": 1_000, "position_lots_max": 30,
    "exposure_per_s_max": 10**9, "follow_ms": 5,
}  # fmt: skip


@contextlib.asynccontextmanager
async def desk_with(dsn: str, redis_url: str, **risk: Any) -> AsyncIterator[Desk]:
    async with open_desk(dsn, redis_url, risk=LIMITS | risk) as opened:
        yield opened


@pytest.fixture(params=["memory", "redis", "postgres"])
async def limited(request: pytest.FixtureRequest, ledger_dsn: str, redis_url: str) -> AsyncIterator[Desk]:
    async with desk_with(ledger_dsn, redis_url, portfolio=request.param) as opened:
        yield opened


async def place(desk: Desk, who: httpx.AsyncClient, name: str, **changes: object) -> httpx.Response:
    return await who.post("/v1/orders", json=desk.order(client_order_id=name, **changes))


def reasons(answer: httpx.Response) -> list[str]:
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/risk"), answer.text
    found = [error["reason"] for error in answer.json()["errors"]]
    assert answer.json()["reason"] == found[0]
    return found


async def followed(desk: Desk) -> None:
    await eventually(lambda: desk.gateway.follower.sequence == len(desk.engine.book.results), "all is followed")


async def test_an_order_beyond_its_own_limits_never_reaches_the_engine(limited: Desk) -> None:
    assert reasons(await place(limited, limited.alice, "a", quantity_lots=21)) == ["quantity_limit"]
    assert reasons(await place(limited, limited.alice, "b", price_ticks=301)) == ["notional_limit"]
    both = await place(limited, limited.alice, "c", price_ticks=300, quantity_lots=21)
    assert reasons(both) == ["quantity_limit", "notional_limit"]
    assert limited.engine.book.results == []


async def test_a_price_far_from_the_last_trade_is_refused_once_there_is_one(limited: Desk) -> None:
    assert (await place(limited, limited.alice, "a", price_ticks=150, quantity_lots=1)).status_code == 201
    await place(limited, limited.bob, "b", side="sell", price_ticks=150, quantity_lots=1)
    await followed(limited)
    assert reasons(await place(limited, limited.alice, "c", price_ticks=166)) == ["price_collar"]
    assert reasons(await place(limited, limited.alice, "d", price_ticks=134)) == ["price_collar"]
    assert (await place(limited, limited.alice, "e", price_ticks=165)).status_code == 201


async def test_open_orders_and_positions_together_stay_within_the_limit(limited: Desk) -> None:
    for name in ("a", "b"):
        assert (await place(limited, limited.alice, name, quantity_lots=15)).status_code == 201
    assert reasons(await place(limited, limited.alice, "c", quantity_lots=1)) == ["position_limit"]
    await place(limited, limited.bob, "d", side="sell", quantity_lots=15)
    await followed(limited)
    assert reasons(await place(limited, limited.alice, "e", quantity_lots=1)) == ["position_limit"]
    await limited.alice.delete("/v1/orders/2")
    await followed(limited)
    assert (await place(limited, limited.alice, "f", quantity_lots=15)).status_code == 201
    assert reasons(await place(limited, limited.alice, "g", quantity_lots=1)) == ["position_limit"]


async def test_a_repeat_gets_its_first_answer_though_the_limit_is_reached(limited: Desk) -> None:
    first = await place(limited, limited.alice, "a", quantity_lots=15)
    await place(limited, limited.alice, "b", quantity_lots=15)
    await followed(limited)
    again = await place(limited, limited.alice, "a", quantity_lots=15)
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")


async def test_what_the_engine_does_not_take_does_not_stay_counted(limited: Desk) -> None:
    limited.engine.refuses = True
    for name in ("a", "b", "c", "d"):
        assert (await place(limited, limited.alice, name, quantity_lots=15)).status_code == 503
    limited.engine.refuses = False
    assert (await place(limited, limited.alice, "e", quantity_lots=15)).status_code == 201


async def test_more_exposure_a_second_than_allowed_is_refused(ledger_dsn: str, redis_url: str) -> None:
    async with desk_with(ledger_dsn, redis_url, exposure_per_s_max=999) as desk:
        assert reasons(await place(desk, desk.alice, "a")) == ["exposure_rate"]
        assert (await place(desk, desk.alice, "b", quantity_lots=9)).status_code == 201


async def test_a_gateway_that_starts_knows_what_was_before_it(ledger_dsn: str, redis_url: str) -> None:
    async with desk_with(ledger_dsn, redis_url) as desk:
        await place(desk, desk.alice, "a", quantity_lots=15)
        await place(desk, desk.bob, "b", side="sell", quantity_lots=10)
        await place(desk, desk.alice, "c", quantity_lots=10)
        begun = await desk.gateway.sources.begin()
        assert (begun.sequence, begun.positions) == (3, {(1, "AAPL"): 10, (2, "AAPL"): -10})
        assert [(order.order_id, order.quantity_lots) for order in begun.resting] == [(1, 5), (3, 10)]
        assert begun.last_price_ticks == {"AAPL": 100}


async def test_a_shared_portfolio_that_was_emptied_is_filled_again(ledger_dsn: str, redis_url: str) -> None:
    async with desk_with(ledger_dsn, redis_url, portfolio="redis") as desk:
        for name in ("a", "b"):
            await place(desk, desk.alice, name, quantity_lots=15)
        await followed(desk)
        await desk.gateway.redis.flushall()
        await eventually_refused(desk)


async def eventually_refused(desk: Desk) -> None:
    for attempt in range(200):
        answer = await place(desk, desk.alice, f"more-{attempt}", quantity_lots=20)
        if answer.status_code == 422:
            assert reasons(answer) == ["position_limit"]
            return
        await desk.alice.delete(f"/v1/orders/{answer.json()['order_id']}")
    raise AssertionError("the limit was not known again")
