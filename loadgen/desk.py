"""One trader's desk: composes its commands as requests, and notes what became of each.

Both loops work at desks; they differ in when a command is due and in who waits for the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from loadgen.meter import Meter
from loadgen.order_flow import Cancel, NewOrder, Replace, Tape
from loadgen.receipts import ABANDONED, OK, Kind, Rows, pack_receipt
from loadgen.wire import NOTHING, Requests, Told, client_order_id, told
from target_system.orders import OrderId

LATE_MAX_NS = 2**32 - 1


@dataclass(slots=True)
class Command:
    """One request from its composition to its fate. Moments are of the monotonic clock."""

    desk: Desk
    number: int
    kind: Kind
    order_id: int
    """Of a cancel or a replacement: the order meant."""
    request: bytes
    due_ns: int
    order: NewOrder | None = None
    sent_ns: int = 0
    late_ns: int = 0
    """By how much it went out later than it could have: the generator's own fault, no wait for the system."""


class Flow(Protocol):
    """Whoever decides what the desk asks for. It is told what came to rest in the book."""

    def rests(self, order_id: OrderId, order: NewOrder, lots: int) -> None: ...


@dataclass(slots=True)
class Desk:
    """`user` is unique over the window, so that no two desks call an order alike."""

    user: int
    account: int
    id_prefix: str
    flow: Flow
    tape: Tape
    requests: Requests
    meter: Meter
    receipts: Rows
    to_wall_ns: int
    """Added to the monotonic clock for the receipts, so that a step of the wall clock changes no duration."""
    _number: int = field(default=0, init=False)

    def request(self, wanted: NewOrder | Cancel | Replace, due_ns: int) -> Command:
        self._number += 1
        if isinstance(wanted, Cancel):
            return Command(self, self._number, Kind.CANCEL, wanted.order_id, self.requests.cancel(wanted), due_ns)
        name = client_order_id(self.id_prefix, self.user, self._number)
        if isinstance(wanted, Replace):
            request = self.requests.replace(name, wanted)
            return Command(self, self._number, Kind.REPLACE, wanted.order_id, request, due_ns, wanted.terms)
        return Command(self, self._number, Kind.NEW, 0, self.requests.new_order(name, wanted), due_ns, wanted)

    def answered(self, command: Command, status: int, body: bytes, at_ns: int) -> Told:
        result = told(status, body)
        self._note(command, OK if result.is_result else status, result, at_ns)
        for maker_id, lots in result.fills:
            self.tape.filled(maker_id, lots)
        if result.resting_lots and command.order is not None:
            self.flow.rests(OrderId(result.order_id), command.order, result.resting_lots)
        return result

    def failed(self, command: Command, outcome: int, at_ns: int) -> None:
        self._note(command, outcome, NOTHING, at_ns)

    def abandoned(self, command: Command, at_ns: int) -> None:
        self._note(command, ABANDONED, NOTHING, at_ns)

    def _note(self, command: Command, outcome: int, result: Told, at_ns: int) -> None:
        self.meter.ended(outcome, at_ns - command.due_ns)
        order_id = result.order_id if command.kind is Kind.NEW else command.order_id
        wall = self.to_wall_ns
        self.receipts.append(pack_receipt(
            self.user, command.number, self.account, command.kind, outcome, min(command.late_ns, LATE_MAX_NS), order_id,
            result.sequence, command.due_ns + wall, command.sent_ns + wall, at_ns + wall,
        ))  # fmt: skip
