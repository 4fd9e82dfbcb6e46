"""The open loop: every request is due at a moment of the schedule, whatever became of the earlier ones.

Requests are composed while the next one is not yet due, so that sending is one system call. What could not be sent on
time is told apart by whose fault it is: with a place free among those in flight it is the generator's (`late_ns`), else
the system's, and the wait is part of the latency. A request without a place until its timeout is given up, `unsent`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import gevent

from loadgen.desk import Command
from loadgen.pool import Pool
from loadgen.receipts import UNSENT
from loadgen.timer import Timer

AHEAD_MAX = 16
AHEAD_NS = 5_000_000
"""Composed ahead at most: further, cancels would name orders by what was known too long ago."""
COMPOSE_NS = 100_000
"""Nothing is composed when the next request is due so soon."""
SENT_IN_A_ROW_MAX = 16
"""Then answers are read, however far behind the schedule we are."""
LOOK_EVERY_S = 0.01


@dataclass(slots=True)
class OpenLoop:
    """`run` until every moment has come and every request has its fate. Killed before, it notes what is unanswered.

    `due_ns` are ascending moments of the monotonic clock; `compose` gives the request of the next one, None for none.
    """

    due_ns: Iterator[int]
    compose: Callable[[int], Command | None]
    pool: Pool
    timer: Timer = field(default_factory=Timer)
    _ready: deque[Command] = field(default_factory=deque, init=False)
    _next_ns: int | None = field(default=None, init=False)

    def run(self) -> None:
        expiry = gevent.spawn(self.pool.expire_for_ever)
        try:
            self._fire()
            while self.pool.in_flight:
                gevent.sleep(LOOK_EVERY_S)
        finally:
            expiry.kill()
            self.pool.abandon()
            self.timer.close()

    def _fire(self) -> None:
        self._next_ns = next(self.due_ns, None)
        in_a_row = 0
        while self._ready or self._next_ns is not None:
            if not self._ready and self._next_ns is not None:
                self.timer.sleep_until(self._next_ns - AHEAD_NS)
                self._compose()
                continue
            command = self._ready[0]
            self._compose_ahead(command.due_ns)
            in_a_row += 1
            if time.monotonic_ns() < command.due_ns:
                in_a_row = 0
                self.timer.sleep_until(command.due_ns)
            self._send(command)
            self._ready.popleft()
            if in_a_row >= SENT_IN_A_ROW_MAX:
                in_a_row = 0
                gevent.sleep(0)

    def lag_ns(self) -> int:
        """For how long the oldest request that is due has waited to be sent."""
        return max(time.monotonic_ns() - self._ready[0].due_ns, 0) if self._ready else 0

    def _compose(self) -> None:
        assert self._next_ns is not None
        command = self.compose(self._next_ns)
        self._next_ns = next(self.due_ns, None)
        if command is not None:
            self._ready.append(command)

    def _compose_ahead(self, due_ns: int) -> None:
        while (
            self._next_ns is not None
            and len(self._ready) < AHEAD_MAX
            and (now_ns := time.monotonic_ns()) < due_ns - COMPOSE_NS
            and self._next_ns < now_ns + AHEAD_NS
        ):
            self._compose()

    def _send(self, command: Command) -> None:
        pool = self.pool
        has_place = not pool.is_full or pool.await_place(command.due_ns + int(pool.timeout_s * 1e9))
        command.sent_ns = time.monotonic_ns()
        command.late_ns = max(command.sent_ns - max(command.due_ns, pool.full_until_ns), 0) if has_place else 0
        if has_place:
            command.desk.meter.sent(command.late_ns)
            pool.send(command)
        else:
            command.desk.failed(command, UNSENT, command.sent_ns)
