"""What one simulated trader wants to do next: seeded, pure, and the same for every configuration that is compared.

A flow makes adds near the touch, cancels of its own resting orders and takers that cross, in the shares of a `Mix`.
Prices follow one random walk a symbol that all users of a seed share, so their orders meet. All draws are made whether
they are used or not, so what came of earlier orders changes which order a cancel names, never the intentions: the n-th
step of a user wants the same in every run of the seed. A cancel with nothing to cancel becomes an add.

The book stays the same size however long the flow goes on: takers want a little more than adds leave over, and half of
the cancels take, of the oldest own orders, the one furthest from the middle. Takers' answers tell whose orders were
filled (`Tape`), so a cancel seldom comes too late.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import islice
from random import Random

from loadgen.popularity import weights
from target_system.orders import Lots, OrderId, OrderType, Side, Ticks

MIDDLE_TICKS = 10_000
WALK_TICKS = 500
"""The walk turns back this far from the middle."""
MOVE_SHARE = 0.1
"""Of a user's steps, how many move the price by a tick."""
TAKER_REACH_TICKS = 5
OFFSET_MEAN_TICKS = 5.0
ADD_LOTS, TAKER_LOTS = (1, 10), (4, 24)
"""At the usual mix 0.35 adds a command outlive the cancels, and takers want 0.38."""
FAR_SHARE = 0.5
"""Of the cancels, how many take the order furthest from the middle; the others prefer young ones."""
FAR_AMONG = 12
"""Of how many of its oldest orders: to look at all would cost more than the request."""
YOUTH = 8
RESTING_MAX = 256
"""Own orders remembered for cancelling."""
WALK_STEPS = 65_536
"""Then the walk goes back the way it came, so that it needs no more memory the longer it is."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the steps; the first three sum to one. Then of the takers how many are market orders, and of the others
    how many are immediate-or-cancel; of the cancels how many replace the order instead, near the touch."""

    add: float = 0.60
    cancel: float = 0.25
    take: float = 0.15
    market: float = 0.5
    ioc: float = 0.0
    replace: float = 0.0


@dataclass(frozen=True, slots=True)
class NewOrder:
    symbol: str
    side: Side
    order_type: OrderType
    price_ticks: Ticks | None
    quantity_lots: Lots
    is_ioc: bool = False
    recorded_id: int = 0
    """Of a replay: what the recording calls it."""


@dataclass(frozen=True, slots=True)
class Cancel:
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class Replace:
    order_id: OrderId
    terms: NewOrder
    """Of the same symbol and side."""


class PriceWalk:
    """Middle prices by symbol and step: a lazy random walk of ±1 tick, kept within ±WALK_TICKS."""

    def __init__(self, seed: int, symbols: int) -> None:
        self._draws = [Random(f"{seed}/walk/{symbol}") for symbol in range(symbols)]
        self._prices = [array("i", [MIDDLE_TICKS + 37 * symbol]) for symbol in range(symbols)]

    def middle_ticks(self, symbol: int, step: int) -> int:
        prices, draw = self._prices[symbol], self._draws[symbol]
        lap, within = divmod(step, WALK_STEPS)
        step = WALK_STEPS - 1 - within if lap % 2 else within
        while len(prices) <= step:
            moved = prices[-1] + (draw.choice((-1, 1)) if draw.random() < MOVE_SHARE else 0)
            prices.append(moved if abs(moved - prices[0]) <= WALK_TICKS else prices[-1])
        return prices[step]


@dataclass(slots=True)
class Resting:
    """An own order in the book, as far as its owner knows."""

    symbol: int
    side: Side
    price_ticks: int
    lots: int


class Tape:
    """Tells the owners what of their orders was filled, as takers' answers say it."""

    def __init__(self) -> None:
        self._owners: dict[int, dict[int, Resting]] = {}

    def rests(self, order_id: int, resting: Resting, owner: dict[int, Resting]) -> None:
        owner[order_id] = resting
        self._owners[order_id] = owner

    def filled(self, order_id: int, lots: int) -> None:
        resting = self._owners.get(order_id, {}).get(order_id)
        if resting is not None:
            resting.lots -= lots
            if resting.lots <= 0:
                self.gone(order_id)

    def gone(self, order_id: int) -> None:
        owner = self._owners.pop(order_id, {})
        owner.pop(order_id, None)


class OrderFlow:
    """One user's intentions. `next_command` gives one; tell it with `rests` which of its orders came to rest."""

    def __init__(self, seed: int, user: int, symbols: tuple[str, ...], mix: Mix, walk: PriceWalk, tape: Tape) -> None:
        self._draw = Random(f"{seed}/user/{user}")
        self._draw_kind = Random(f"{seed}/kind/{user}")  # apart, so that older flows stay what they were
        self._symbols, self._mix, self._walk, self._tape = symbols, mix, walk, tape
        self._weights = weights(len(symbols))
        self._step = 0
        self._resting: dict[int, Resting] = {}

    def next_command(self) -> NewOrder | Cancel | Replace:
        draw = self._draw
        kind, age, is_far = draw.random(), draw.random(), draw.random() < FAR_SHARE
        (symbol,) = draw.choices(range(len(self._symbols)), self._weights)
        side = Side.BUY if draw.random() < 0.5 else Side.SELL
        offset = int(draw.expovariate(1 / OFFSET_MEAN_TICKS))
        add_lots, taker_lots = draw.randint(*ADD_LOTS), draw.randint(*TAKER_LOTS)
        at_market = draw.random() < self._mix.market
        is_ioc, is_replace = (self._draw_kind.random() < share for share in (self._mix.ioc, self._mix.replace))
        middle = self._walk.middle_ticks(symbol, self._step)
        self._step += 1
        if kind < self._mix.cancel and self._resting:
            order_id = self._find_furthest() if is_far else self._find_young(age)
            resting = self._taken(order_id)
            return self._replace(order_id, resting, offset, add_lots) if is_replace else Cancel(OrderId(order_id))
        towards = 1 if side is Side.BUY else -1
        if kind >= self._mix.cancel + self._mix.add:
            reach = None if at_market else Ticks(middle + towards * TAKER_REACH_TICKS)
            order_type = OrderType.MARKET if at_market else OrderType.LIMIT
            return NewOrder(self._symbols[symbol], side, order_type, reach, Lots(taker_lots), is_ioc and not at_market)
        price = Ticks(middle - towards * (1 + offset))
        return NewOrder(self._symbols[symbol], side, OrderType.LIMIT, price, Lots(add_lots))

    def rests(self, order_id: OrderId, order: NewOrder, lots: int) -> None:
        """An order of this user was acknowledged and `lots` of it are in the book."""
        symbol = self._symbols.index(order.symbol)
        self._tape.rests(order_id, Resting(symbol, order.side, order.price_ticks or 0, lots), self._resting)
        if len(self._resting) > RESTING_MAX:
            self._tape.gone(next(iter(self._resting)))

    def _replace(self, order_id: int, resting: Resting, offset: int, lots: int) -> Replace:
        towards = 1 if resting.side is Side.BUY else -1
        price = Ticks(self._walk.middle_ticks(resting.symbol, self._step) - towards * (1 + offset))
        terms = NewOrder(self._symbols[resting.symbol], resting.side, OrderType.LIMIT, price, Lots(lots))
        return Replace(OrderId(order_id), terms)

    def _find_young(self, age: float) -> int:
        back = int(age**YOUTH * len(self._resting))
        return next(islice(reversed(self._resting), back, None))

    def _find_furthest(self) -> int:
        resting, walk, step = self._resting, self._walk, self._step

        def distance_ticks(own: int) -> int:
            return abs(resting[own].price_ticks - walk.middle_ticks(resting[own].symbol, step))

        return max(islice(resting, FAR_AMONG), key=distance_ticks)

    def _taken(self, order_id: int) -> Resting:
        resting = self._resting.pop(order_id)
        self._tape.gone(order_id)
        return resting
