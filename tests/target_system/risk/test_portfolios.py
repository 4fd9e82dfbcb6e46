"""What a portfolio promises, of each of the three: nothing goes beyond a limit, and nothing stays counted for ever."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
import time
from collections import Counter

import pytest

from target_system.proto import engine_pb2 as pb
from target_system.risk import in_postgres, in_redis
from target_system.risk import portfolio as portfolios
from target_system.risk.exposures import Exposures, Step
from target_system.risk.limits import Exposure, Limits, Order, RiskReason
from target_system.risk.portfolio import RESERVED_MAX_S, Portfolio
from tests.plain_engine import PlainBook

NAMES = ("AAPL", "MSFT")
LIMITS = Limits(
    quantity_lots_max=100, notional_max=10**9, collar_bps=10**6, position_lots_max=30, exposure_per_s_max=10**12
)


def order(name: str, lots: int = 10, is_buy: bool = True, account: int = 1) -> Order:
    return Order(account, name, "AAPL", is_buy, 100, lots)


async def room(portfolio: Portfolio, account: int, is_buy: bool, symbol: str = "AAPL") -> int:
    """How many lots may still go, found by asking."""
    lowest, highest = 0, 4 * LIMITS.position_lots_max
    while lowest < highest:
        lots = (lowest + highest + 1) // 2
        asked = Order(account, "room", symbol, is_buy, 100, lots)
        if await portfolio.reserve(asked, 0, LIMITS) is None:
            await portfolio.forget(asked)
            lowest = lots
        else:
            highest = lots - 1
    return lowest


async def becomes(portfolio: Portfolio, account: int, symbol: str, lots: int, is_buy: bool = True) -> None:
    """Waits until so many lots may go, no more and no less."""
    until = time.monotonic() + 10
    while (found := await room(portfolio, account, is_buy, symbol)) != lots:
        assert time.monotonic() < until, f"account {account}, {symbol}: {found} lots, not {lots}"
        await asyncio.sleep(0.05)


async def test_orders_on_their_way_count_until_they_are_forgotten(portfolio: Portfolio) -> None:
    for name in ("a", "b", "c"):
        assert await portfolio.reserve(order(name), 0, LIMITS) is None
    breach = await portfolio.reserve(order("d", lots=1), 0, LIMITS)
    assert breach is not None
    assert breach.reason is RiskReason.POSITION_LIMIT
    assert await portfolio.reserve(order("e", is_buy=False), 0, LIMITS) is None
    await portfolio.forget(order("b"))
    assert await portfolio.reserve(order("d"), 0, LIMITS) is None


async def test_the_same_order_twice_counts_once(portfolio: Portfolio) -> None:
    for _ in range(5):
        assert await portfolio.reserve(order("a", lots=20), 0, LIMITS) is None
    assert await room(portfolio, 1, True) == 10


async def test_many_orders_at_once_do_not_go_beyond_the_limit_together(portfolio: Portfolio) -> None:
    answers = await asyncio.gather(*(portfolio.reserve(order(f"o-{n}"), 0, LIMITS) for n in range(20)))
    assert sum(answer is None for answer in answers) == 3


async def test_what_an_account_sends_within_a_second_is_bounded(portfolio: Portfolio) -> None:
    limits = dataclasses.replace(LIMITS, exposure_per_s_max=1_000)
    breach = await portfolio.reserve(order("a", lots=1), 1_001, limits)
    assert breach is not None
    assert breach.reason is RiskReason.EXPOSURE_RATE
    assert await portfolio.reserve(order("b", lots=1), 1_000, limits) is None


async def test_a_step_that_is_known_changes_nothing_and_a_missing_one_is_told(portfolio: Portfolio) -> None:
    long = {(1, "AAPL"): Exposure(20, 5, 0)}
    assert await portfolio.settle(Step(1, 3, long, ()))
    assert await room(portfolio, 1, True) == 5
    assert not await portfolio.settle(Step(5, 6, {(1, "AAPL"): Exposure(0, 0, 0)}, ()))
    assert await room(portfolio, 1, True) == 5
    assert await portfolio.settle(Step(4, 6, {(1, "AAPL"): Exposure(0, 0, 0)}, ()))
    assert await room(portfolio, 1, True) == 30


async def test_an_order_never_heard_of_again_is_given_up(portfolio: Portfolio, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve_for(0.3, monkeypatch)
    assert await portfolio.reserve(order("lost", lots=30), 0, LIMITS) is None
    await becomes(portfolio, 1, "AAPL", 30)


@pytest.mark.parametrize("seed", [1, 2])
async def test_when_every_order_is_done_only_positions_are_left(
    portfolio: Portfolio, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random orders that trade, rest, are rejected, repeated, cancelled, never sequenced, or get no answer."""
    chance, book, exposures = random.Random(seed), PlainBook(NAMES), Exposures(NAMES)
    held: Counter[tuple[int, str]] = Counter()
    for number in range(120):
        account, symbol = chance.randint(1, 3), chance.randrange(2)
        asked = Order(account, f"o-{number}", NAMES[symbol], chance.random() < 0.5, 100, chance.randint(1, 12))
        draw = chance.random()
        reserve_for(0.5 if is_lost(draw) else RESERVED_MAX_S, monkeypatch)
        if await portfolio.reserve(asked, 0, LIMITS) is None:
            await fate(draw, chance, portfolio, book, asked, symbol)
        if chance.random() < 0.3:
            await follow(portfolio, book, exposures, held)
            for key, lots in held.items():
                assert abs(lots) <= LIMITS.position_lots_max, key
    for order_id in [resting.order_id for orders in book.resting for resting in orders]:
        account = book.results[order_id - 1].command.account
        book.submit(pb.Command(kind=pb.CANCEL, account=account, client_order_id=f"~c{order_id}", order_id=order_id))
    await follow(portfolio, book, exposures, held)
    for account, name in itertools.product((1, 2, 3), NAMES):
        await becomes(portfolio, account, name, LIMITS.position_lots_max - held[account, name])
        await becomes(portfolio, account, name, LIMITS.position_lots_max + held[account, name], is_buy=False)
    assert exposures.sequence == len(book.results)


def reserve_for(longest_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (portfolios, in_redis, in_postgres):
        monkeypatch.setattr(module, "RESERVED_MAX_S", longest_s)


def is_lost(draw: float) -> bool:
    """On the way, and nobody knows."""
    return 0.1 <= draw < 0.15


async def fate(
    draw: float, chance: random.Random, portfolio: Portfolio, book: PlainBook, asked: Order, symbol: int
) -> None:
    if is_lost(draw):
        return None
    if draw < 0.1:
        return await portfolio.forget(asked)  # the engine did not take it
    command = pb.Command(
        kind=pb.NEW, account=asked.account, client_order_id=asked.name, symbol=symbol,
        side=pb.BUY if asked.is_buy else pb.SELL, order_type=pb.MARKET if draw < 0.4 else pb.LIMIT,
        price_ticks=0 if draw < 0.4 else chance.randint(98, 102), quantity_lots=asked.quantity_lots,
    )  # fmt: skip
    result = book.submit(command)
    if draw < 0.5:
        book.submit(command)  # repeated before it is followed
    elif draw < 0.7 and result.outcome == pb.RESTING:
        cancel = pb.Command(kind=pb.CANCEL, account=asked.account, order_id=result.order_id)
        cancel.client_order_id = f"~c{result.order_id}"
        book.submit(cancel)
    return None


async def follow(portfolio: Portfolio, book: PlainBook, exposures: Exposures, held: Counter[tuple[int, str]]) -> None:
    results = book.results[exposures.sequence :]
    for result in results:
        symbol = NAMES[result.command.symbol]
        for fill in result.fills:
            lots = fill.quantity_lots if result.command.side == pb.BUY else -fill.quantity_lots
            held[result.command.account, symbol] += lots
            held[fill.maker_account, symbol] -= lots
    assert await portfolio.settle(exposures.follow(results))
