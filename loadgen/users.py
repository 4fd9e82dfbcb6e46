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

from loadgen.assignment import Assignment, Ended, Failed, Report, encode
from loadgen.order_flow import NewOrder
from loadgen.receipts import OK, ReceiptFile
from loadgen.wire import Requests
from loadgen.work import SECOND_NS, Times, Work
from target_system.orders import Lots, OrderType, Side, Ticks

LEAD_NS = 500_000_000
"""From the assignment to the first request: all users are up by then."""
LINGER_S = 1.0
"""Beyond the last request's deadline before users are killed."""
READABLE = 1


class Generator:
    """One window's load. `run` returns when every user has ended, or soon after `stop` was set."""

    def __init__(self, assignment: Assignment, receipts: ReceiptFile) -> None:
        self._assignment, self._receipts = assignment, receipts
        self._times = Times.of(assignment, time.time_ns() + LEAD_NS)
        self._work = Work(assignment, self._times)
        self._failure: BaseException | None = None
        self.stop = gevent.event.Event()

    def run(self) -> None:
        """Raises OSError where the receipts cannot be written, and whatever a user died of."""
        work, times = self._work, self._times
        say(times.started())
        gevent.get_hub().SYSTEM_ERROR = (Exception, KeyboardInterrupt)  # a callback's error ends `run`
        runner = self._environment().create_local_runner()
        watchers: list[Any] = [
            gevent.spawn(work.watch_wake_ups),
            gevent.spawn(stop_with_stdin, self.stop),
        ]
        users = self._assignment.users if self._assignment.arrivals is None else 1
        runner.start(users, spawn_rate=users)
        if runner.spawning_greenlet:
            runner.spawning_greenlet.join()
        second_ns = times.starts_ns
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
        say(Ended(time.monotonic_ns() + times.to_wall_ns, is_whole))

    @property
    def _last_ns(self) -> int:
        return self._times.until_ns + int((self._assignment.timeout_s + LINGER_S) * SECOND_NS)

    def _report(self, second_ns: int) -> None:
        self._receipts.write(self._work.rows.take())
        say(self._work.second(second_ns))

    def _environment(self) -> Environment:
        if self._assignment.is_fast_http_user:
            kind = fast_http_user(self._assignment, self._work)
        else:
            kind = trader_user(self._work.tasks())
        environment = Environment(user_classes=[kind], catch_exceptions=False)
        environment.events.user_error.add_listener(self._fail)  # type: ignore[no-untyped-call]
        return environment

    def _fail(self, exception: BaseException, **_: Any) -> None:
        self._failure = self._failure or exception
        self.stop.set()


def trader_user(tasks: Iterator[Callable[[], None]]) -> type[User]:
    class TraderUser(User):
        @task
        def trade(self) -> None:
            next(tasks)()
            raise StopUser

    return TraderUser


def fast_http_user(told: Assignment, work: Work) -> type[User]:
    """locust's own client, to compare with: it gets its one request ready-made."""
    meter, until_ns = work.meter, work.times.until_ns
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


def stop_with_stdin(stop: gevent.event.Event) -> None:
    """Nothing more is ever sent to us: what ends the wait is the pipe's end."""
    hub = gevent.get_hub()
    hub.wait(hub.loop.io(sys.stdin.fileno(), READABLE))
    stop.set()


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
