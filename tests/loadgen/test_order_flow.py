"""The flow is the same for the same seed, has the mix asked for, and its orders match."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from loadgen.order_flow import (
    MIDDLE_TICKS,
    WALK_STEPS,
    WALK_TICKS,
    Cancel,
    Mix,
    NewOrder,
    OrderFlow,
    PriceWalk,
    Replace,
    Tape,
)
from target_system.orders import OrderId, OrderType, Side

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")


def flow(user: int = 0, seed: int = 1, mix: Mix | None = None) -> OrderFlow:
    return OrderFlow(seed, user, SYMBOLS, mix or Mix(), PriceWalk(seed, len(SYMBOLS)), Tape())


def commands(trader: OrderFlow, count: int, every_order_rests: bool = True) -> list[NewOrder | Cancel | Replace]:
    made: list[NewOrder | Cancel | Replace] = []
    for number in range(count):
        command = trader.next_command()
        made.append(command)
        if every_order_rests and isinstance(command, NewOrder):
            trader.rests(OrderId(number + 1), command, command.quantity_lots)
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
            trader.rests(OrderId(number), command, 1)
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


def test_an_order_that_others_filled_is_not_cancelled() -> None:
    tape = Tape()
    trader = OrderFlow(1, 0, SYMBOLS, Mix(0.2, 0.8, 0.0), PriceWalk(1, len(SYMBOLS)), tape)
    filled = set()
    for number in range(1, 2_000):
        command = trader.next_command()
        if isinstance(command, Cancel):
            assert command.order_id not in filled
            continue
        trader.rests(OrderId(number), command, 5)
        tape.filled(number, 2)
        if number % 3 == 0:
            tape.filled(number, 3)
            filled.add(number)
    assert len(filled) > 50


def test_the_flow_is_stationary_the_book_keeps_its_size_and_cancels_seldom_come_too_late() -> None:
    outcomes, sizes = traded(rounds=2_000)
    number = 2_000 * 20
    assert outcomes["traded"] / number > 0.1
    assert outcomes["too late"] < 0.05 * outcomes["cancelled"]
    assert abs(outcomes["cancelled"] / number - 0.25) < 0.02
    early, late = sizes[500:1_000], sizes[1_500:]
    assert min(early + late) > 20
    assert max(late) < 2 * max(early)
    assert max(late) < 0.02 * number


def test_a_walk_goes_back_the_way_it_came() -> None:
    walk = PriceWalk(1, 1)
    assert [walk.middle_ticks(0, WALK_STEPS + step) for step in range(100)] == [
        walk.middle_ticks(0, WALK_STEPS - 1 - step) for step in range(100)
    ]


def traded(rounds: int) -> tuple[Counter[str], list[int]]:
    """Twenty traders against plain books; their answers come four commands late."""
    walk, tape = PriceWalk(1, len(SYMBOLS)), Tape()
    traders = [OrderFlow(1, user, SYMBOLS, Mix(), walk, tape) for user in range(20)]
    books: dict[tuple[str, Side], dict[int, list[int]]] = defaultdict(dict)
    outcomes: Counter[str] = Counter()
    under_way: deque[Callable[[], None]] = deque()
    sizes = []
    number = 0
    for _ in range(rounds):
        for trader in traders:
            command = trader.next_command()
            number += 1
            while len(under_way) > 8:
                under_way.popleft()()
            if isinstance(command, Cancel):
                found = [book for book in books.values() if book.pop(command.order_id, None)]
                outcomes["cancelled" if found else "too late"] += 1
                continue
            left, fills = match(books[command.symbol, command.side.opposite], command)
            outcomes["traded" if left < command.quantity_lots else "added"] += 1
            under_way.append(partial(tell, tape, fills))
            if left and command.price_ticks is not None:
                books[command.symbol, command.side][number] = [command.price_ticks, left]
                under_way.append(partial(trader.rests, OrderId(number), command, left))
        sizes.append(sum(len(book) for book in books.values()))
    return outcomes, sizes


def tell(tape: Tape, fills: list[tuple[int, int]]) -> None:
    for order_id, lots in fills:
        tape.filled(order_id, lots)


def match(book: dict[int, list[int]], order: NewOrder) -> tuple[int, list[tuple[int, int]]]:
    """Takes from the opposite book, best price first; gives what is left, and what was taken from whom."""
    fills = []
    left: int = order.quantity_lots
    sign = 1 if order.side is Side.BUY else -1
    for order_id, level in sorted(book.items(), key=lambda item: (sign * item[1][0], item[0])):
        if left == 0 or (order.price_ticks is not None and sign * level[0] > sign * order.price_ticks):
            break
        taken = min(left, level[1])
        fills.append((order_id, taken))
        left, level[1] = left - taken, level[1] - taken
        if level[1] == 0:
            del book[order_id]
    return left, fills


def test_other_kinds_take_their_share_and_leave_the_rest_of_the_flow_as_it_was() -> None:
    plain, mixed = commands(flow(), 2_000), commands(flow(mix=Mix(market=0.0, ioc=1.0, replace=1.0)), 2_000)
    assert not any(isinstance(command, Cancel) for command in mixed)
    replaced = [command for command in mixed if isinstance(command, Replace)]
    assert isinstance(plain[mixed.index(replaced[0])], Cancel)
    placed = {n: command for n, command in enumerate(mixed, start=1) if isinstance(command, NewOrder)}
    for replace in replaced:
        first = placed[replace.order_id]
        assert (replace.terms.symbol, replace.terms.side) == (first.symbol, first.side)
    takers = [command for command in placed.values() if command.is_ioc]
    assert takers
    assert all(command.order_type is OrderType.LIMIT for command in takers)
