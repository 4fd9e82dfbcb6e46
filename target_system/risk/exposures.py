"""From the engine's results, in sequence, to every account's exposure. Pure: the same results give the same exposures.

A cancel names only an order, so the side and symbol of each open order are kept. Nothing is estimated here: what is
open is what rests in the books, what is held is the sum of the trades.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from target_system.proto import engine_pb2 as pb
from target_system.risk.limits import Exposure

Key = tuple[int, str]
"""Account and symbol."""


class OutOfSequence(Exception):
    """These results do not follow on what is known; begin anew."""


@dataclass(slots=True)
class Open:
    key: Key
    is_buy: bool
    lots: int


@dataclass(frozen=True, slots=True)
class Step:
    """What a run of sequence numbers changed: exposures as of `last`, and the orders that are on their way no more."""

    first: int
    last: int
    exposures: dict[Key, Exposure]
    settled: tuple[tuple[int, str], ...]
    """Account and client order id of each new order and replacement."""


@dataclass(slots=True)
class Exposures:
    symbols: Sequence[str]
    sequence: int = 0
    """Everything up to here is in."""
    last_price_ticks: dict[str, int] = field(default_factory=dict)
    _position: dict[Key, int] = field(default_factory=dict)
    _open: dict[int, Open] = field(default_factory=dict)
    _open_lots: dict[tuple[Key, bool], int] = field(default_factory=dict)
    _touched: set[Key] = field(default_factory=set)

    def start(self, sequence: int, resting: Iterable[pb.RestingOrder], positions: dict[Key, int]) -> None:
        """Begin with the books and positions as of a sequence number."""
        self.sequence, self._position = sequence, dict(positions)
        self._open.clear()
        self._open_lots.clear()
        for order in resting:
            key = (order.account, self.symbols[order.symbol])
            self._rest(order.order_id, key, order.side == pb.BUY, order.quantity_lots)

    def follow(self, results: Sequence[pb.Result]) -> Step:
        """`results` go on where the last ones ended, each with its command."""
        first = self.sequence + 1
        self._touched.clear()
        settled = []
        for result in results:
            if result.sequence != self.sequence + 1:
                raise OutOfSequence(f"result {result.sequence} after {self.sequence}")
            self.sequence = result.sequence
            command = result.command
            if command.kind in (pb.NEW, pb.REPLACE):
                settled.append((command.account, command.client_order_id))
            if result.outcome != pb.REJECTED:
                self._apply(command, result)
        changed = {key: self.exposure(key) for key in self._touched}
        return Step(first, self.sequence, changed, tuple(settled))

    def all(self) -> Step:
        """Everything, for a portfolio that has lost what it knew."""
        keys = self._position.keys() | {key for key, _ in self._open_lots}
        return Step(1, self.sequence, {key: self.exposure(key) for key in keys}, ())

    def exposure(self, key: Key) -> Exposure:
        open_lots = self._open_lots
        return Exposure(self._position.get(key, 0), open_lots.get((key, True), 0), open_lots.get((key, False), 0))

    def _apply(self, command: pb.Command, result: pb.Result) -> None:
        kind = command.kind
        if kind in (pb.NEW, pb.REPLACE):
            key, is_buy = (command.account, self.symbols[command.symbol]), command.side == pb.BUY
            if kind == pb.REPLACE:
                replaced = self._order(command.order_id)
                key, is_buy = replaced.key, replaced.is_buy
                self._shrink(command.order_id, None)
            for fill in result.fills:
                self._trade(key, is_buy, fill)
            if result.resting_lots:
                self._rest(result.order_id, key, is_buy, result.resting_lots)
        elif kind == pb.CANCEL:
            self._shrink(command.order_id, None)
        for removal in result.removals:
            self._shrink(removal.order_id, removal.quantity_lots)

    def _trade(self, taker: Key, is_buy: bool, fill: pb.Fill) -> None:
        maker = (fill.maker_account, taker[1])
        lots = fill.quantity_lots if is_buy else -fill.quantity_lots
        self._position[taker] = self._position.get(taker, 0) + lots
        self._position[maker] = self._position.get(maker, 0) - lots
        self._touched.add(taker)
        self._shrink(fill.maker_order_id, fill.quantity_lots)
        self.last_price_ticks[taker[1]] = fill.price_ticks

    def _rest(self, order_id: int, key: Key, is_buy: bool, lots: int) -> None:
        self._open[order_id] = Open(key, is_buy, lots)
        self._open_lots[key, is_buy] = self._open_lots.get((key, is_buy), 0) + lots
        self._touched.add(key)

    def _order(self, order_id: int) -> Open:
        order = self._open.get(order_id)
        if order is None:
            raise OutOfSequence(f"after {self.sequence}: order {order_id} is not known to be open")
        return order

    def _shrink(self, order_id: int, lots: int | None) -> None:
        """None: all of it."""
        order = self._order(order_id)
        gone = order.lots if lots is None else lots
        order.lots -= gone
        if not order.lots:
            del self._open[order_id]
        self._open_lots[order.key, order.is_buy] -= gone
        self._touched.add(order.key)
