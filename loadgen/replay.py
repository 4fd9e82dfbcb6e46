"""Plays a recording: its orders under our names, its cancels once we know what our order is called.

An order keeps to one desk, and what executes it comes from the next, so that nobody trades with himself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from loadgen.desk import Command, Desk
from loadgen.order_flow import Cancel, NewOrder
from loadgen.receipts import UNPLAYABLE
from loadgen.recording import Message, Type
from target_system.orders import Lots, OrderId, OrderType, Ticks


class Replay:
    """The flow of every desk: `rests` tells it what the engine calls a recorded order."""

    def __init__(self, messages: Sequence[Message], symbol: str) -> None:
        self._messages, self._symbol = iter(messages), symbol
        self._ours: dict[int, OrderId] = {}

    def rests(self, order_id: OrderId, order: NewOrder, lots: int) -> None:  # noqa: ARG002 - as every flow is told
        if order.recorded_id:
            self._ours[order.recorded_id] = order_id

    def compose(self, desks: Sequence[Desk], due_ns: int) -> Command | None:
        """The next message's. A cancel whose order is not known yet is noted as unplayable, and None."""
        message = next(self._messages)
        desk = desks[(message.order_id + (message.type is Type.EXECUTION)) % len(desks)]
        if message.type is not Type.DELETION:
            return desk.request(self._order(message), due_ns)
        command = desk.request(Cancel(self._ours.pop(message.order_id, OrderId(0))), due_ns)
        if command.order_id:
            return command
        command.sent_ns = time.monotonic_ns()
        desk.failed(command, UNPLAYABLE, command.sent_ns)
        return None

    def _order(self, message: Message) -> NewOrder:
        if message.type is Type.EXECUTION:
            return NewOrder(self._symbol, message.side.opposite, OrderType.MARKET, None, Lots(message.lots))
        price, lots = Ticks(message.price_ticks), Lots(message.lots)
        return NewOrder(self._symbol, message.side, OrderType.LIMIT, price, lots, recorded_id=message.order_id)
