"""What one generator process does in a window: its users' work and its own account of each second. No locust in here.

Of several processes (`workers`) each takes every n-th request of the schedule, or every n-th user, and gives its desks
numbers that no other has; the schedule and the flow of each desk are functions of the seed.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from loadgen import arrivals
from loadgen.assignment import Assignment, Joined, Second, Started
from loadgen.desk import Command, Desk, Flow
from loadgen.http_client import Connection
from loadgen.meter import Meter
from loadgen.open_loop import OpenLoop
from loadgen.order_flow import Mix, OrderFlow, PriceWalk, Tape
from loadgen.pool import Pool
from loadgen.receipts import Rows
from loadgen.replay import Replay
from loadgen.timer import Timer
from loadgen.trader import Trader
from loadgen.wire import Requests

SECOND_NS = 1_000_000_000
WAKE_EVERY_NS = 10_000_000


@dataclass(frozen=True, slots=True)
class Times:
    """Of a window, on the monotonic clock of this process; `to_wall_ns` added they are wall-clock times."""

    starts_ns: int
    from_ns: int
    until_ns: int
    to_wall_ns: int

    @classmethod
    def of(cls, assignment: Assignment, starts_wall_ns: int, to_wall_ns: int | None = None) -> Times:
        """`to_wall_ns`: to the wall clock that all workers share; left out, that of this machine."""
        if to_wall_ns is None:
            to_wall_ns = time.time_ns() - time.monotonic_ns()
        starts_ns = starts_wall_ns - to_wall_ns
        from_ns = starts_ns + int(assignment.warm_up_s * SECOND_NS)
        return cls(starts_ns, from_ns, from_ns + int(assignment.duration_s * SECOND_NS), to_wall_ns)

    def started(self, joined: tuple[Joined, ...] = ()) -> Started:
        wall = self.to_wall_ns
        return Started(self.starts_ns + wall, self.from_ns + wall, self.until_ns + wall, joined)


class Work:
    """`tasks` gives each user its work, `second` says what was since it was last asked, `rows` holds the receipts."""

    def __init__(self, assignment: Assignment, times: Times) -> None:
        self._assignment, self.times = assignment, times
        self.meter, self.rows, self._tape = Meter(), Rows(), Tape()
        self._walk = PriceWalk(assignment.seed, len(assignment.symbols))
        self._mix = Mix(
            assignment.add, assignment.cancel, assignment.take, assignment.market, assignment.ioc, assignment.replace
        )
        self._offered: Offered | None = None
        self._open_loop: OpenLoop | None = None
        if assignment.arrivals is not None:
            pool = Pool(assignment.host, assignment.port, assignment.timeout_s, assignment.in_flight_max)
            self._open_loop = OpenLoop(self._due_ns(), self._composer(), pool)
            self._offered = Offered(self._due_ns())

    def tasks(self) -> Iterator[Callable[[], None]]:
        """What each user does until it ends. In an open loop there is one: it fires the schedule."""
        if self._open_loop:
            yield self._open_loop.run
            return
        told, times = self._assignment, self.times
        think_time_ns = int(told.think_time_s * SECOND_NS)
        for user in itertools.count(told.worker, told.workers):
            flow = self._flow(user)
            yield Trader(
                desk=self._desk(user, flow),
                flow=flow,
                connection=Connection(told.host, told.port, told.timeout_s),
                think_time_ns=think_time_ns,
                starts_ns=times.starts_ns + think_time_ns * user // told.users,
                until_ns=times.until_ns,
            ).trade

    def second(self, second_ns: int) -> Second:
        offered = self._offered.until(second_ns + SECOND_NS) if self._offered else None
        lag_ns = self._open_loop.lag_ns() if self._open_loop else 0
        return self.meter.second(second_ns + self.times.to_wall_ns, offered, lag_ns)

    def watch_wake_ups(self) -> None:
        """A greenlet's work: how late is a sleeper woken?"""
        timer = Timer()
        due_ns = time.monotonic_ns()
        while True:
            due_ns = max(due_ns + WAKE_EVERY_NS, time.monotonic_ns())
            timer.sleep_until(due_ns)
            self.meter.woke(time.monotonic_ns() - due_ns)

    def _composer(self) -> Callable[[int], Command | None]:
        """Desks take turns, or follow the recording."""
        told = self._assignment
        kind = arrivals.parsed(told.arrivals or {})
        users = range(told.worker, told.workers * len(told.trading), told.workers)
        if isinstance(kind, arrivals.Replay):
            replay = Replay(kind.recording(), kind.symbol or told.symbols[0])
            return partial(replay.compose, [self._desk(user, replay) for user in users])
        flows = [self._flow(user) for user in users]
        turns = itertools.cycle([(self._desk(user, flow), flow) for user, flow in zip(users, flows, strict=True)])

        def compose(due_ns: int) -> Command:
            desk, flow = next(turns)
            return desk.request(flow.next_command(), due_ns)

        return compose

    def _due_ns(self) -> Iterator[int]:
        told = self._assignment
        kind = arrivals.parsed(told.arrivals or {})
        chunks = arrivals.schedule(kind, told.seed, told.warm_up_s, told.duration_s)
        all_ns = itertools.chain.from_iterable((chunk_ns + self.times.starts_ns).tolist() for chunk_ns in chunks)
        return itertools.islice(all_ns, told.worker, None, told.workers)

    def _flow(self, user: int) -> OrderFlow:
        told = self._assignment
        return OrderFlow(told.seed, user, told.symbols, self._mix, self._walk, self._tape)

    def _desk(self, user: int, flow: Flow) -> Desk:
        told = self._assignment
        trading = told.trading[user % len(told.trading)]
        return Desk(
            user=user,
            account=trading.account,
            id_prefix=told.id_prefix,
            flow=flow,
            tape=self._tape,
            requests=Requests(f"{told.host}:{told.port}", trading.api_key),
            meter=self.meter,
            receipts=self.rows,
            to_wall_ns=self.times.to_wall_ns,
        )


class Offered:
    """Counts the requests that were due."""

    def __init__(self, due_ns: Iterator[int]) -> None:
        self._due_ns = due_ns
        self._next_ns = next(due_ns, None)

    def until(self, moment_ns: int) -> int:
        """How many since the last time that this was asked."""
        count = 0
        while self._next_ns is not None and self._next_ns < moment_ns:
            self._next_ns = next(self._due_ns, None)
            count += 1
        return count
