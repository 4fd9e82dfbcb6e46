"""One simulated trader: composes a command, sends it when it is due, notes what became of it, thinks, and goes on.

Closed loop: the next command is due one think time after the answer to the last one, and is composed before it is due.
When the answer speaks of the server instead of the order, or none came, the trader pauses as a client would. A doubtful
order is not sent again: its fate is for the reconciliation to find.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from loadgen.http_client import Connection, NoAnswerError
from loadgen.meter import Meter
from loadgen.order_flow import Cancel, NewOrder, OrderFlow
from loadgen.receipts import ABANDONED, FAILURES, OK, Kind, ReceiptFile, pack_receipt
from loadgen.timer import Timer
from loadgen.wire import NOTHING, Requests, Told, client_order_id, told
from target_system.orders import OrderId

PAUSE_AFTER_FAILURE_NS = 100_000_000


@dataclass(slots=True)
class Trader:
    """`trade` runs until `until_ns` (monotonic); killed before, it leaves a receipt for what is unanswered."""

    user: int
    account: int
    id_prefix: str
    flow: OrderFlow
    requests: Requests
    connection: Connection
    meter: Meter
    receipts: ReceiptFile
    to_wall_ns: int
    """Added to the monotonic clock for the receipts, so that a step of the wall clock changes no duration."""
    think_time_ns: int
    starts_ns: int
    until_ns: int
    _number: int = field(default=0, init=False)

    def trade(self) -> None:
        timer = Timer()
        due_ns = self.starts_ns
        try:
            while due_ns < self.until_ns:
                command, request = self._compose()
                timer.sleep_until(due_ns)
                due_ns = self._send(command, request, due_ns) + self.think_time_ns
        finally:
            timer.close()
            self.connection.close()

    def _compose(self) -> tuple[NewOrder | Cancel, bytes]:
        self._number += 1
        command = self.flow.next_command()
        if isinstance(command, Cancel):
            return command, self.requests.cancel(command)
        return command, self.requests.new_order(client_order_id(self.id_prefix, self.user, self._number), command)

    def _send(self, command: NewOrder | Cancel, request: bytes, due_ns: int) -> int:
        """Gives the moment from which the trader thinks."""
        outcome, result = ABANDONED, NOTHING
        sent_ns = time.monotonic_ns()
        self.meter.sent(sent_ns - due_ns)
        try:
            outcome, result = self._exchange(request)
        finally:
            answered_ns = time.monotonic_ns()
            self.meter.ended(outcome, answered_ns - due_ns)
            kind, order_id = (
                (Kind.CANCEL, command.order_id) if isinstance(command, Cancel) else (Kind.NEW, result.order_id)
            )
            wall = self.to_wall_ns
            self.receipts.append(pack_receipt(
                self.user, self._number, self.account, kind, outcome, order_id, result.sequence,
                due_ns + wall, sent_ns + wall, answered_ns + wall,
            ))  # fmt: skip
        if result.rests and kind is Kind.NEW:
            self.flow.rests(OrderId(result.order_id))
        return answered_ns if result.is_result else answered_ns + PAUSE_AFTER_FAILURE_NS

    def _exchange(self, request: bytes) -> tuple[int, Told]:
        try:
            answer = self.connection.exchange(request)
        except NoAnswerError as error:
            return FAILURES[error.failure], NOTHING
        result = told(answer.status, answer.body)
        return (OK if result.is_result else answer.status), result
