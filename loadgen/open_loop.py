"""The open loop: every request is due at a moment of the schedule, whatever became of the earlier ones.

Requests are composed while the next one is not yet due, so that sending is one system call. What could not be sent on
time is told apart by whose fault it is: with a place free among those in flight it is the generator's (`late_ns`), else
the system's, and the wait is part of the latency. A request without a place until its timeout is given up, `unsent`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import gevent

from loadgen.desk import Command, Desk
from loadgen.pool import Pool
from loadgen.receipts import UNSENT
from loadgen.timer import Timer

AHEAD_MAX = 16
"""Composed ahead at most: further, cancels would name orders by what was known too long ago."""
COMPOSE_NS = 100_000
"""Nothing is composed when the next request is due so soon."""
SENT_IN_A_ROW_MAX = 16
"""Then answers are read, however far behind the schedule we are."""
LOOK_EVERY_S = 0.01


@dataclass(slots=True)
class OpenLoop:
    """`run` until every moment has come and every request has its fate. Killed before, it notes what is unanswered.

    `due_ns` are ascending moments of the monotonic clock; desks take turns.
    """

    desks: Sequence[Desk]
    due_ns: Iterator[int]
    pool: Pool
    timer: Timer = field(default_factory=Timer)
    _ready: deque[Command] = field(default_factory=deque, init=False)
    _composed: int = field(default=0, init=False)

    def run(self) -> None:
        expiry = gevent.spawn(self.pool.expire_for_ever)
        in_a_row = 0
        try:
            while self._ready or self._compose():
                command = self._ready[0]
                self._compose_ahead(command.due_ns)
                if time.monotonic_ns() < command.due_ns:
                    in_a_row = 0
                    self.timer.sleep_until(command.due_ns)
                self._send(command)
                self._ready.popleft()
                in_a_row += 1
                if in_a_row >= SENT_IN_A_ROW_MAX:
                    in_a_row = 0
                    gevent.sleep(0)
            while self.pool.in_flight:
                gevent.sleep(LOOK_EVERY_S)
        finally:
            expiry.kill()
            self.pool.abandon()
            self.timer.close()

    def lag_ns(self) -> int:
        """For how long the oldest request that is due has waited to be sent."""
        return max(time.monotonic_ns() - self._ready[0].due_ns, 0) if self._ready else 0

    def _compose(self) -> bool:
        due_ns = next(self.due_ns, None)
        if due_ns is None:
            return False
        command = self.desks[self._composed % len(self.desks)].compose()
        command.due_ns = due_ns
        self._ready.append(command)
        self._composed += 1
        return True

    def _compose_ahead(self, due_ns: int) -> None:
        while len(self._ready) < AHEAD_MAX and time.monotonic_ns() < due_ns - COMPOSE_NS:
            if not self._compose():
                return

    def _send(self, command: Command) -> None:
        pool = self.pool
        has_place = not pool.is_full or pool.await_place(command.due_ns + int(pool.timeout_s * 1e9))
        command.sent_ns = time.monotonic_ns()
        command.late_ns = max(command.sent_ns - max(command.due_ns, pool.full_until_ns), 0) if has_place else 0
        command.desk.meter.sent(command.late_ns)
        if has_place:
            pool.send(command)
        else:
            command.desk.failed(command, UNSENT, command.sent_ns)
