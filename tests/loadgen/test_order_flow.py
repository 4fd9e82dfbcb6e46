"""The flow is the same for the same seed, has the mix asked for, and its orders match."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

from loadgen.order_flow import MIDDLE_TICKS, WALK_TICKS, Cancel, Mix, NewOrder, OrderFlow, PriceWalk
from target_system.orders import OrderId, OrderType, Side

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")


def flow(user: int = 0, seed: int = 1, mix: Mix | None = None) -> OrderFlow:
    return OrderFlow(seed, user, SYMBOLS, mix or Mix(), PriceWalk(seed, len(SYMBOLS)))


def commands(trader: OrderFlow, count: int, every_order_rests: bool = True) -> list[NewOrder | Cancel]:
    made = []
    for number in range(count):
        command = trader.next_command()
        made.append(command)
        if every_order_rests and isinstance(command, NewOrder):
            trader.rests(OrderId(number + 1))
    return made


def test_the_same_seed_gives_the_same_flow_and_another_seed_or_user_another() -> None:
    assert commands(flow(), 500) == commands(flow(), 500)
    assert commands(flow(), 500) != commands(flow(user=1), 500)
    assert commands(flow(), 500) != commands(flow(seed=2), 500)


def test_what_became_of_earlier_orders_does_not_change_later_intentions() -> None:
    all_rest, none_rest = commands(flow(), 500), commands(flow(), 500, every_order_rests=False)
    pairs = [(a, b) for a, b in zip(all_rest, none_rest, strict=True) if isinstance(a, NewOrder)]
    assert len(pairs) > 300
    assert [a for a, _ in pairs] == [b for _, b in pairs]
    assert not any(isinstance(command, Cancel) for command in none_rest)


def test_the_mix_is_the_one_asked_for() -> None:
    mix = Mix(add=0.5, cancel=0.3, take=0.2)
    made = commands(flow(mix=mix), 20_000)
    cancels = sum(isinstance(command, Cancel) for command in made)
    market = sum(isinstance(c, NewOrder) and c.order_type is OrderType.MARKET for c in made)
    assert abs(cancels / len(made) - mix.cancel) < 0.02
    assert abs(market / len(made) - mix.take / 2) < 0.02


def test_a_cancel_names_an_own_resting_order_and_each_only_once() -> None:
    trader = flow()
    resting: set[int] = set()
    for number in range(1, 2_000):
        command = trader.next_command()
        if isinstance(command, Cancel):
            assert command.order_id in resting
            resting.remove(command.order_id)
        elif number % 2:
            trader.rests(OrderId(number))
            resting.add(number)


def test_market_orders_have_no_price_and_limit_orders_have_one_near_the_walk() -> None:
    for command in commands(flow(), 5_000):
        if isinstance(command, NewOrder):
            assert (command.price_ticks is None) == (command.order_type is OrderType.MARKET)
            assert command.quantity_lots > 0
            if command.price_ticks is not None:
                assert abs(command.price_ticks - MIDDLE_TICKS) < WALK_TICKS + 300


def test_prices_walk_and_stay_within_their_bounds() -> None:
    walk = PriceWalk(1, 2)
    prices = [walk.middle_ticks(0, step) for step in range(50_000)]
    assert len(set(prices)) > 20
    assert max(abs(price - prices[0]) for price in prices) <= WALK_TICKS
    assert {abs(b - a) for a, b in pairwise(prices)} == {0, 1}


def test_orders_of_many_users_match_and_the_book_neither_fills_up_nor_runs_dry() -> None:
    walk = PriceWalk(1, len(SYMBOLS))
    traders = [OrderFlow(1, user, SYMBOLS, Mix(), walk) for user in range(20)]
    books: dict[tuple[str, Side], dict[int, list[int]]] = defaultdict(dict)
    outcomes: Counter[str] = Counter()
    sizes = []
    number = 0
    for _ in range(1_500):
        for trader in traders:
            command = trader.next_command()
            number += 1
            if isinstance(command, Cancel):
                found = [book for book in books.values() if book.pop(command.order_id, None)]
                outcomes["cancelled" if found else "too late"] += 1
                continue
            left = match(books[command.symbol, command.side.opposite], command)
            outcomes["traded" if left < command.quantity_lots else "added"] += 1
            if left and command.price_ticks is not None:
                books[command.symbol, command.side][number] = [command.price_ticks, left]
                trader.rests(OrderId(number))
        sizes.append(sum(len(book) for book in books.values()))
    assert outcomes["traded"] / number > 0.1
    assert outcomes["cancelled"] > outcomes["too late"]
    assert 20 < sizes[-1] < 10_000
    assert sizes[-1] < 0.06 * number


def match(book: dict[int, list[int]], order: NewOrder) -> int:
    """Takes from the opposite book, best price first; gives what is left."""
    left: int = order.quantity_lots
    sign = 1 if order.side is Side.BUY else -1
    for order_id, level in sorted(book.items(), key=lambda item: (sign * item[1][0], item[0])):
        if left == 0 or (order.price_ticks is not None and sign * level[0] > sign * order.price_ticks):
            break
        taken = min(left, level[1])
        left, level[1] = left - taken, level[1] - taken
        if level[1] == 0:
            del book[order_id]
    return left
