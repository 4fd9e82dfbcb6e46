"""What one simulated trader wants to do next: seeded, pure, and the same for every configuration that is compared.

A flow makes adds near the touch, cancels of its own resting orders and takers that cross, in the shares of a `Mix`.
Prices follow one random walk a symbol that all users of a seed share, so their orders meet. All draws are made whether
they are used or not, so what came of earlier orders changes which order a cancel names, never the intentions: the n-th
step of a user wants the same in every run of the seed. A cancel with nothing to cancel becomes an add.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from target_system.orders import Lots, OrderId, OrderType, Side, Ticks

MIDDLE_TICKS = 10_000
WALK_TICKS = 500
"""The walk turns back this far from the middle."""
MOVE_SHARE = 0.1
"""Of a user's steps, how many move the price by a tick."""
TAKER_REACH_TICKS = 5
OFFSET_MEAN_TICKS = 5.0
ADD_LOTS, TAKER_LOTS = (1, 10), (6, 30)
"""A taker eats 3.3 adds on average: at the usual mix the book grows by no more than 5 % of the commands."""
YOUTH = 8
"""How strongly cancels prefer young orders; old ones are likelier to be filled already."""
RESTING_MAX = 256
"""Own orders remembered for cancelling; the oldest are forgotten (they stay in the book)."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the steps; they sum to one."""

    add: float = 0.60
    cancel: float = 0.25
    take: float = 0.15


@dataclass(frozen=True, slots=True)
class NewOrder:
    symbol: str
    side: Side
    order_type: OrderType
    price_ticks: Ticks | None
    quantity_lots: Lots


@dataclass(frozen=True, slots=True)
class Cancel:
    order_id: OrderId


class PriceWalk:
    """Middle prices by symbol and step: a lazy random walk of ±1 tick, kept within ±WALK_TICKS."""

    def __init__(self, seed: int, symbols: int) -> None:
        self._draws = [Random(f"{seed}/walk/{symbol}") for symbol in range(symbols)]
        self._prices = [[MIDDLE_TICKS + 37 * symbol] for symbol in range(symbols)]

    def middle_ticks(self, symbol: int, step: int) -> int:
        prices, draw = self._prices[symbol], self._draws[symbol]
        while len(prices) <= step:
            moved = prices[-1] + (draw.choice((-1, 1)) if draw.random() < MOVE_SHARE else 0)
            prices.append(moved if abs(moved - prices[0]) <= WALK_TICKS else prices[-1])
        return prices[step]


class OrderFlow:
    """One user's intentions. `next_command` gives one; tell it with `rests` which of its orders came to rest."""

    def __init__(self, seed: int, user: int, symbols: tuple[str, ...], mix: Mix, walk: PriceWalk) -> None:
        self._draw = Random(f"{seed}/user/{user}")
        self._symbols, self._mix, self._walk = symbols, mix, walk
        self._weights = tuple(1 / (rank + 1) for rank in range(len(symbols)))
        self._step = 0
        self._resting: list[OrderId] = []

    def next_command(self) -> NewOrder | Cancel:
        draw = self._draw
        kind, age = draw.random(), draw.random()
        (symbol,) = draw.choices(range(len(self._symbols)), self._weights)
        side = Side.BUY if draw.random() < 0.5 else Side.SELL
        offset = int(draw.expovariate(1 / OFFSET_MEAN_TICKS))
        add_lots, taker_lots = draw.randint(*ADD_LOTS), draw.randint(*TAKER_LOTS)
        at_market = draw.random() < 0.5
        middle = self._walk.middle_ticks(symbol, self._step)
        self._step += 1
        if kind < self._mix.cancel and self._resting:
            return Cancel(self._take_resting(age))
        towards = 1 if side is Side.BUY else -1
        if kind >= self._mix.cancel + self._mix.add:
            reach = None if at_market else Ticks(middle + towards * TAKER_REACH_TICKS)
            order_type = OrderType.MARKET if at_market else OrderType.LIMIT
            return NewOrder(self._symbols[symbol], side, order_type, reach, Lots(taker_lots))
        price = Ticks(middle - towards * (1 + offset))
        return NewOrder(self._symbols[symbol], side, OrderType.LIMIT, price, Lots(add_lots))

    def rests(self, order_id: OrderId) -> None:
        """An order of this user was acknowledged and (some of it) is in the book."""
        self._resting.append(order_id)
        if len(self._resting) > RESTING_MAX:
            del self._resting[0]

    def _take_resting(self, age: float) -> OrderId:
        return self._resting.pop(-1 - int(age**YOUTH * len(self._resting)))
