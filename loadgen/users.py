"""The generator: `python -m loadgen.users`, a process of its own that only loads. The only import of locust.

It reads its `Assignment`, JSON on one line, from standard input and writes its `Report`s, one a line, to standard
output: `started` with the borders of the measured part, a `second` each second, then `ended`, or `failed` with the
reason. It stops early on SIGTERM and when its standard input ends, as it does when the lab dies: no generator outlives
its run.

locust brings the users up and down and counts them. How they wait, send and measure is `loadgen.trader`: locust's own
pacing and statistics round to milliseconds, and its client costs several times what the requests do. In the open loop
one user fires the whole schedule (`loadgen.open_loop`): arrivals that wait for nobody are no users.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from locust import FastHttpUser, User, task  # before gevent and the rest: it makes blocking calls cooperative
from locust.env import Environment
from locust.exception import StopUser

import gevent  # isort: skip
import gevent.event  # isort: skip
import msgspec  # isort: skip

from loadgen import arrivals
from loadgen.assignment import Assignment, Ended, Failed, Report, Started, encode
from loadgen.desk import Desk
from loadgen.http_client import Connection
from loadgen.meter import Meter
from loadgen.open_loop import OpenLoop
from loadgen.order_flow import Mix, NewOrder, OrderFlow, PriceWalk, Tape
from loadgen.pool import Pool
from loadgen.receipts import OK, ReceiptFile
from loadgen.timer import Timer
from loadgen.trader import Trader
from loadgen.wire import Requests
from target_system.orders import Lots, OrderType, Side, Ticks

SECOND_NS = 1_000_000_000
LEAD_NS = 200_000_000
"""From the assignment to the first request: all users are up by then."""
WAKE_EVERY_NS = 10_000_000
LINGER_S = 1.0
"""Beyond the last request's deadline before users are killed."""
READABLE = 1


class Generator:
    """One window's load. `run` returns when every user has ended, or soon after `stop` was set."""

    def __init__(self, assignment: Assignment, receipts: ReceiptFile) -> None:
        self._assignment = assignment
        self._receipts = receipts
        self._meter = Meter()
        self._failure: BaseException | None = None
        self.stop = gevent.event.Event()
        self._to_wall_ns = time.time_ns() - time.monotonic_ns()
        self._starts_ns = time.monotonic_ns() + LEAD_NS
        self._from_ns = self._starts_ns + int(assignment.warm_up_s * SECOND_NS)
        self._until_ns = self._from_ns + int(assignment.duration_s * SECOND_NS)
        self._users, self._offered, self._open_loop = assignment.users, None, None
        if assignment.arrivals is not None:
            self._users, self._offered, self._open_loop = 1, Offered(self._due_ns()), self._opened()

    def run(self) -> None:
        """Raises OSError where the receipts cannot be written, and whatever a user died of."""
        wall = self._to_wall_ns
        say(Started(self._starts_ns + wall, self._from_ns + wall, self._until_ns + wall))
        runner = self._environment().create_local_runner()
        watchers = [gevent.spawn(self._watch_wake_ups), gevent.spawn(self._watch_parent)]
        gevent.get_hub().SYSTEM_ERROR = (Exception, KeyboardInterrupt)  # a callback's error ends `run`
        runner.start(self._users, spawn_rate=self._users)
        if runner.spawning_greenlet:
            runner.spawning_greenlet.join()
        second_ns = self._starts_ns
        while not self.stop.is_set() and runner.user_count and time.monotonic_ns() < self._last_ns:
            self.stop.wait(max(second_ns + SECOND_NS - time.monotonic_ns(), 0) / SECOND_NS)
            self._report(second_ns)
            second_ns += SECOND_NS
        is_whole = not self.stop.is_set()
        runner.quit()
        gevent.killall(watchers)
        self._report(second_ns)
        if self._failure:
            raise self._failure
        say(Ended(time.monotonic_ns() + wall, is_whole))

    @property
    def _last_ns(self) -> int:
        return self._until_ns + int((self._assignment.timeout_s + LINGER_S) * SECOND_NS)

    def _report(self, second_ns: int) -> None:
        self._receipts.flush()
        offered = self._offered.until(second_ns + SECOND_NS) if self._offered else None
        lag_ns = self._open_loop.lag_ns() if self._open_loop else 0
        say(self._meter.second(second_ns + self._to_wall_ns, offered, lag_ns))

    def _environment(self) -> Environment:
        work = self._work()

        class TraderUser(User):
            @task
            def trade(self) -> None:
                next(work)()
                raise StopUser

        kind = self._fast_http_user() if self._assignment.is_fast_http_user else TraderUser
        environment = Environment(user_classes=[kind], catch_exceptions=False)
        environment.events.user_error.add_listener(self._fail)  # type: ignore[no-untyped-call]
        return environment

    def _fast_http_user(self) -> type[User]:
        """locust's own client, to compare with: it gets its one request ready-made."""
        meter, until_ns, told = self._meter, self._until_ns, self._assignment
        order = NewOrder(told.symbols[0], Side.BUY, OrderType.LIMIT, Ticks(10_000), Lots(1))
        _, _, body = Requests(told.host, "").new_order("same", order).decode().partition("\r\n\r\n")
        headers = {"x-api-key": told.trading[0].api_key, "content-type": "application/json"}

        class Comparison(FastHttpUser):
            host = f"http://{told.host}:{told.port}"

            @task
            def trade(self) -> None:
                sent_ns = time.monotonic_ns()
                if sent_ns >= until_ns:
                    raise StopUser
                meter.sent(0)
                answer = self.client.post("/v1/orders", data=body, headers=headers)
                meter.ended(OK if answer.status_code == 201 else answer.status_code, time.monotonic_ns() - sent_ns)

        return Comparison

    def _fail(self, exception: BaseException, **_: Any) -> None:
        self._failure = self._failure or exception
        self.stop.set()

    def _work(self) -> Iterator[Callable[[], None]]:
        """What each user does until it ends."""
        if self._open_loop:
            yield self._open_loop.run
        told = self._assignment
        think_time_ns = int(told.think_time_s * SECOND_NS)
        for user, desk in enumerate(self._desks(told.users)):
            yield Trader(
                desk=desk,
                connection=Connection(told.host, told.port, told.timeout_s),
                think_time_ns=think_time_ns,
                starts_ns=self._starts_ns + think_time_ns * user // told.users,
                until_ns=self._until_ns,
            ).trade

    def _opened(self) -> OpenLoop:
        told = self._assignment
        pool = Pool(told.host, told.port, told.timeout_s, told.in_flight_max)
        return OpenLoop(tuple(self._desks(len(told.trading))), self._due_ns(), pool)

    def _due_ns(self) -> Iterator[int]:
        told = self._assignment
        kind = arrivals.parsed(told.arrivals or {})
        for moments_ns in arrivals.schedule(kind, told.seed, told.warm_up_s, told.duration_s):
            yield from (moments_ns + self._starts_ns).tolist()

    def _desks(self, count: int) -> Iterator[Desk]:
        told = self._assignment
        walk = PriceWalk(told.seed, len(told.symbols))
        tape, mix = Tape(), Mix(told.add, told.cancel, told.take)
        for user in range(count):
            trading = told.trading[user % len(told.trading)]
            yield Desk(
                user=user,
                account=trading.account,
                id_prefix=told.id_prefix,
                flow=OrderFlow(told.seed, user, told.symbols, mix, walk, tape),
                tape=tape,
                requests=Requests(f"{told.host}:{told.port}", trading.api_key),
                meter=self._meter,
                receipts=self._receipts,
                to_wall_ns=self._to_wall_ns,
            )

    def _watch_wake_ups(self) -> None:
        timer = Timer()
        due_ns = time.monotonic_ns()
        while True:
            due_ns = max(due_ns + WAKE_EVERY_NS, time.monotonic_ns())
            timer.sleep_until(due_ns)
            self._meter.woke(time.monotonic_ns() - due_ns)

    def _watch_parent(self) -> None:
        """Nothing more is ever sent to us: what ends the wait is the pipe's end."""
        hub = gevent.get_hub()
        hub.wait(hub.loop.io(sys.stdin.fileno(), READABLE))
        self.stop.set()


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


def say(report: Report) -> None:
    sys.stdout.buffer.write(encode(report) + b"\n")
    sys.stdout.buffer.flush()


def take_precedence() -> None:
    """Real-time priority, where it may be had: an answer is read and a request sent when it is due, however busy the
    machine is. It escapes the CPU quota; what it used is judged against its allotment all the same."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def main() -> int:
    take_precedence()
    try:
        assignment = msgspec.json.decode(sys.stdin.buffer.readline(), type=Assignment)
        receipts = ReceiptFile(Path(assignment.receipts))
    except (msgspec.DecodeError, OSError) as error:
        say(Failed(f"no assignment that can be followed: {error}", is_full(error)))
        return 2
    generator = Generator(assignment, receipts)
    gevent.signal_handler(signal.SIGTERM, generator.stop.set)
    gevent.signal_handler(signal.SIGINT, generator.stop.set)
    try:
        generator.run()
        receipts.close()
    except BrokenPipeError:
        os._exit(1)  # the lab is gone, and so is the pipe that the interpreter would flush
    except OSError as error:
        say(Failed(f"{assignment.receipts}: {error.strerror}", is_full(error)))
        return 1
    return 0


def is_full(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


if __name__ == "__main__":
    sys.exit(main())
