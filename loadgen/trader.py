"""One user of the closed loop: sends a command when it is due, waits for the answer, thinks, and goes on.

The next command is due one think time after the answer to the last one, and is composed before it is due. When the
answer speaks of the server instead of the order, or none came, the trader pauses as a client would. A doubtful order is
not sent again: its fate is for the reconciliation to find.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from loadgen.desk import Command, Desk
from loadgen.http_client import Connection, NoAnswerError
from loadgen.order_flow import OrderFlow
from loadgen.receipts import FAILURES
from loadgen.timer import Timer

PAUSE_AFTER_FAILURE_NS = 100_000_000


@dataclass(slots=True)
class Trader:
    """`trade` runs until `until_ns` (monotonic); killed before, it leaves a receipt for what is unanswered."""

    desk: Desk
    flow: OrderFlow
    connection: Connection
    think_time_ns: int
    starts_ns: int
    until_ns: int

    def trade(self) -> None:
        timer = Timer()
        due_ns = self.starts_ns
        try:
            while due_ns < self.until_ns:
                command = self.desk.request(self.flow.next_command(), due_ns)
                timer.sleep_until(due_ns)
                due_ns = self._send(command) + self.think_time_ns
        finally:
            timer.close()
            self.connection.close()

    def _send(self, command: Command) -> int:
        """Gives the moment from which the trader thinks."""
        desk = self.desk
        command.sent_ns = time.monotonic_ns()
        command.late_ns = command.sent_ns - command.due_ns
        desk.meter.sent(command.late_ns)
        try:
            answer = self.connection.exchange(command.request)
        except NoAnswerError as error:
            failed_ns = time.monotonic_ns()
            desk.failed(command, FAILURES[error.failure], failed_ns)
            return failed_ns + PAUSE_AFTER_FAILURE_NS
        except BaseException:  # killed while it waits
            desk.abandoned(command, time.monotonic_ns())
            raise
        answered_ns = time.monotonic_ns()
        result = desk.answered(command, answer.status, answer.body, answered_ns)
        return answered_ns if result.is_result else answered_ns + PAUSE_AFTER_FAILURE_NS
