"""The generator: `python -m loadgen.users`, a process of its own that only loads. The only import of locust.

It reads its `Assignment`, JSON on one line, from standard input and writes its `Report`s, one a line, to standard
output: `ready`, `started` with the borders of the measured part, a `second` each second, then `ended`, or `failed` with
the reason. It stops early on SIGTERM and when its standard input ends, as when the lab dies: no generator outlives
its run.

locust brings the users up and down and counts them: in this process, or in several (`loadgen.workers`), here and on
other hosts, by its own master and worker protocol (`--join HOST:PORT --as NAME` is a worker). How they wait, send and
measure is `loadgen.work`: locust's own pacing and statistics round to milliseconds, and its client costs several times
what the requests do. In the open loop one user a process fires its part of the schedule: arrivals that wait for nobody
are no users.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import locust.runners
from locust import FastHttpUser, User, task  # before gevent and the rest: it makes blocking calls cooperative
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import LocalRunner, MasterRunner, Runner

import gevent  # isort: skip
import gevent.event  # isort: skip
import gevent.queue  # isort: skip
import msgspec  # isort: skip

from loadgen.assignment import Assignment, Ended, Failed, Joined, Ready, Report, Second, encode
from loadgen.crew import Crew, Share, pack
from loadgen.order_flow import NewOrder
from loadgen.process import take_precedence, want_descriptors
from loadgen.receipts import OK, ReceiptFile
from loadgen.timer import Timer
from loadgen.wire import Requests
from loadgen.work import SECOND_NS, Times, Work
from loadgen.workers import LOCAL, Greeting, Workers, WorkersError, clock_of, hired, sources
from target_system.orders import Lots, OrderType, Side, Ticks

LEAD_NS = 500_000_000
"""From the assignment to the first request: all users are up by then."""
LEAD_OF_WORKERS_NS = 1_500_000_000
JOIN_DEADLINE_S = 60.0
GREETINGS = 7
"""Exchanges with each worker: enough for one that no switch of threads delayed."""
GREETING_DEADLINE_S = 1.0
SHARE_TAKES_NS = 250_000_000
"""From a second's end until every worker has said what it was."""
STOP_TAKES_NS = 2_000_000_000
"""From "enough" until every worker has said farewell."""
FAREWELL_S = 0.5
LOOK_EVERY_NS = 20_000_000
"""Whether users are left, once nothing is due any more."""
LINGER_S = 1.0
"""Beyond the last request's deadline before users are killed."""
READABLE = 1
locust.runners.HEARTBEAT_DEAD_INTERNAL = -(10**9)  # else it gives a lost worker's users to the others, a minute later


class Generator:
    """One window's load from this process. `run` returns when every user has ended, or soon after `stop` was set."""

    def __init__(self, assignment: Assignment, receipts: ReceiptFile) -> None:
        self._assignment, self._receipts = assignment, receipts
        self.stop = gevent.event.Event()

    def run(self) -> None:
        """Raises OSError where the receipts cannot be written, and whatever a user died of."""
        told = self._assignment
        times = Times.of(told, time.time_ns() + LEAD_NS)
        work = Work(told, times)
        say(times.started())
        kind = fast_http_user(told, work) if told.is_fast_http_user else trader_user(work.tasks)
        runner = Environment(user_classes=[kind], catch_exceptions=False).create_local_runner()
        end_on_errors(runner)
        users = told.users if told.arrivals is None else 1
        runner.start(users, spawn_rate=users)
        if runner.spawning_greenlet:
            runner.spawning_greenlet.join()
        with watching(work.watch_wake_ups, lambda: stop_with_stdin(self.stop)):
            for second in seconds_of(work, self.stop, runner, last_ns(told, times)):
                self._receipts.write(work.rows.take())
                say(second)
        say(Ended(time.monotonic_ns() + times.to_wall_ns, not self.stop.is_set()))


class Master:
    """One window's load from several processes. It sends nothing itself."""

    def __init__(self, assignment: Assignment, receipts: ReceiptFile) -> None:
        self._assignment, self._receipts = assignment, receipts
        self.stop = gevent.event.Event()

    def run(self) -> None:
        """Raises OSError where the receipts cannot be written, WorkersError where the workers do not come."""
        told = self._assignment
        environment = Environment(user_classes=[trader_user(lambda: iter(()))], catch_exceptions=False)
        runner = environment.create_master_runner(LOCAL, 0)
        to_wall_ns = time.time_ns() - time.monotonic_ns()
        with hired(told, runner.server.port) as workers, watching(lambda: stop_with_stdin(self.stop)):
            ids = await_workers(runner, workers, self.stop)
            if not self.stop.is_set():
                self._load(runner, workers, greet(runner, ids))
            runner.quit()
        say(Ended(time.monotonic_ns() + to_wall_ns, not self.stop.is_set()))

    def _load(self, runner: MasterRunner, workers: Workers, joined: dict[str, Joined]) -> None:
        told = self._assignment
        crew = Crew(list(joined), [each for each in joined if not joined[each].host])
        runner.register_message("share", lambda environment, msg: crew.heard(msg.node_id, msg.data["packed"]))  # noqa: ARG005
        times = Times.of(told, time.time_ns() + LEAD_OF_WORKERS_NS)
        say(times.started(tuple(each for each in joined.values() if each.host)))
        for index, worker in enumerate(joined):
            runner.send_message("assignment", self._part(index, joined[worker], workers, times), client_id=worker)
        users = told.users if told.arrivals is None else told.workers
        runner.start(users, spawn_rate=users)
        self._listen(runner, crew, workers, times)

    def _part(self, index: int, worker: Joined, workers: Workers, times: Times) -> dict[str, Any]:
        """What one of them is to do, on the clock of all."""
        told = self._assignment
        part = msgspec.structs.replace(told, worker=index, in_flight_max=-(-told.in_flight_max // told.workers))
        if worker.host:
            part = msgspec.structs.replace(part, host=LOCAL, port=workers.port_at(worker.host))
        starts_ns = times.starts_ns + times.to_wall_ns
        return {"assignment": encode(part), "starts_ns": starts_ns, "clock_ahead_ns": worker.clock_ahead_ns}

    def _listen(self, runner: MasterRunner, crew: Crew, workers: Workers, times: Times) -> None:
        """Until every worker has said farewell, or none can any more; when stopped, they still say what they did."""
        until_ns, second_ns, is_over, is_told = last_ns(self._assignment, times), times.starts_ns, False, False
        used = OwnCpu(workers)
        while not is_over:
            if self.stop.is_set() and not is_told:
                is_told, until_ns = True, min(until_ns, time.monotonic_ns() + STOP_TAKES_NS)
                runner.send_message("enough")
            is_over = crew.has_ended or time.monotonic_ns() > until_ns
            left_s = max(second_ns + SECOND_NS + SHARE_TAKES_NS - time.monotonic_ns(), 0) / SECOND_NS
            gevent.sleep(left_s) if is_told else self.stop.wait(left_s)
            rows, second = crew.take(second_ns + times.to_wall_ns, used.since(), is_last=is_over)
            self._receipts.write(rows)
            say(second)
            second_ns += SECOND_NS


class OwnCpu:
    """CPU seconds of the master and of the ssh connections that it holds, since they were last asked for."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._before = self._used()

    def since(self) -> list[float]:
        before, self._before = self._before, self._used()
        return [now - then for now, then in zip(self._before, before, strict=True)]

    def _used(self) -> list[float]:
        return [time.process_time(), *self._workers.tunnels_cpu_seconds()]


class Worker:
    """Joins a master, does its part of one window, and goes. `host`: its name there, "" on the master's machine."""

    def __init__(self, address: str, host: str) -> None:
        name, _, port = address.rpartition(":")
        self._address, self._host = (name, int(port)), host
        self._to_wall_ns = time.time_ns() - time.monotonic_ns()
        self._told: gevent.event.AsyncResult[Any] = gevent.event.AsyncResult()
        self._work: Work | None = None
        self.stop = gevent.event.Event()

    def run(self) -> None:
        environment = Environment(user_classes=[trader_user(self._tasks)], catch_exceptions=False)
        with watching(self._end_with_stdin):
            runner = environment.create_worker_runner(*self._address)
            for message, listener in (
                ("greeting", lambda environment, msg: self._greet(runner, msg.data["asked_ns"])),  # noqa: ARG005
                ("assignment", lambda environment, msg: self._told.set(msg.data)),  # noqa: ARG005
                ("enough", lambda environment, msg: self.stop.set()),  # noqa: ARG005
            ):
                runner.register_message(message, listener)
            end_on_errors(runner)
            whole: dict[str, Any] = self._told.get(timeout=JOIN_DEADLINE_S)  # type: ignore[assignment]
            self._do(whole, runner)

    def _end_with_stdin(self) -> None:
        """At once where there is nothing to tell yet: locust tries to reach a master for minutes."""
        stop_with_stdin(self.stop)
        if not self._told.ready():
            os._exit(1)

    def _greet(self, runner: Runner, asked_ns: int) -> None:
        clock_ns = time.monotonic_ns() + self._to_wall_ns
        greeting = Greeting(asked_ns, clock_ns, self._host, sources(), os.cpu_count() or 1)
        runner.send_message("greeting", {"packed": msgspec.msgpack.encode(greeting)})

    def _do(self, whole: dict[str, Any], runner: Runner) -> None:
        told = msgspec.json.decode(whole["assignment"], type=Assignment)
        times = Times.of(told, whole["starts_ns"], self._to_wall_ns - whole["clock_ahead_ns"])
        self._work = work = Work(told, times)
        with watching(work.watch_wake_ups):
            Timer().sleep_until(times.starts_ns)
            while not (runner.user_count or self.stop.is_set() or time.monotonic_ns() > times.until_ns):
                gevent.sleep(0.01)  # told late: what is due meanwhile is sent late, and judged
            for second in seconds_of(work, self.stop, runner, last_ns(told, times)):
                runner.send_message("share", {"packed": pack(Share(second, work.rows.take()))})
        runner.send_message("share", {"packed": pack(Share(None, work.rows.take()))})
        gevent.sleep(FAREWELL_S)

    def _tasks(self) -> Iterator[Callable[[], None]]:
        """Users are only started when every worker has its assignment."""
        while self._work is None:
            gevent.sleep(0.01)
        return self._work.tasks()


def seconds_of(work: Work, stop: gevent.event.Event, runner: Runner, until_ns: int) -> Iterator[Second]:
    """One after the other, until every user has ended; then the last, cut short. Ends the users."""
    second_ns = work.times.starts_ns
    while not stop.is_set() and runner.user_count and (now_ns := time.monotonic_ns()) < until_ns:
        if now_ns >= second_ns + SECOND_NS:
            yield work.second(second_ns)
            second_ns += SECOND_NS
        looks_ns = max(work.times.until_ns, now_ns + LOOK_EVERY_NS)  # who is left, once nothing is due any more
        stop.wait(max(min(second_ns + SECOND_NS, looks_ns) - time.monotonic_ns(), 0) / SECOND_NS)
    runner.stop() if isinstance(runner, LocalRunner) else runner.stop_users(runner.user_classes_count)
    yield work.second(second_ns)


def last_ns(told: Assignment, times: Times) -> int:
    return times.until_ns + int((told.timeout_s + LINGER_S) * SECOND_NS)


def end_on_errors(runner: Runner) -> None:
    """An error of a user or of a callback is raised where the generator runs, and ends it."""
    gevent.get_hub().SYSTEM_ERROR = (Exception, KeyboardInterrupt)
    main = gevent.getcurrent()
    runner.environment.events.user_error.add_listener(  # type: ignore[no-untyped-call]
        lambda exception, **_: gevent.get_hub().loop.run_callback(main.throw, exception)
    )


@contextlib.contextmanager
def watching(*jobs: Callable[[], None]) -> Iterator[None]:
    watchers: list[Any] = [gevent.spawn(job) for job in jobs]
    try:
        yield
    finally:
        gevent.killall(watchers)


def await_workers(runner: MasterRunner, workers: Workers, stop: gevent.event.Event) -> list[str]:
    """Their names in the protocol; of fewer where it was stopped. Raises WorkersError."""
    deadline_ns = time.monotonic_ns() + int(JOIN_DEADLINE_S * SECOND_NS)
    while len(runner.clients.ready) < len(workers) and not stop.is_set():
        workers.check()
        if time.monotonic_ns() > deadline_ns:
            raise WorkersError(f"{len(runner.clients.ready)} of {len(workers)} workers came in {JOIN_DEADLINE_S:g} s")
        gevent.sleep(0.05)
    return sorted(client.id for client in runner.clients.ready)


def greet(runner: MasterRunner, workers: Sequence[str]) -> dict[str, Joined]:
    """Who they are, and by how much their clocks are ahead of ours. Raises WorkersError where one is none of ours."""
    answers: gevent.queue.Queue[Greeting] = gevent.queue.Queue()
    decode = msgspec.msgpack.Decoder(Greeting).decode
    runner.register_message("greeting", lambda environment, msg: answers.put(decode(msg.data["packed"])))  # noqa: ARG005
    return {worker: _greet(runner, worker, answers) for worker in workers}


def _greet(runner: MasterRunner, worker: str, answers: gevent.queue.Queue[Greeting]) -> Joined:
    found = [each for each in (_exchange(runner, worker, answers) for _ in range(GREETINGS)) if each]
    if not found:
        raise WorkersError(f"the worker {worker} joined and then said nothing; read its log")
    greeting = found[0][0]
    if greeting.sources != sources():
        raise WorkersError(f"{greeting.host}: its checkout is not like this one; bring both to the same commit")
    clock = clock_of([(greeting.asked_ns, greeting.clock_ns, heard_ns) for greeting, heard_ns in found])
    ahead_ns = clock.ahead_ns if greeting.host else 0  # here it is one and the same clock
    return Joined(greeting.host, greeting.cores, ahead_ns, clock.error_ns)


def _exchange(runner: MasterRunner, worker: str, answers: gevent.queue.Queue[Greeting]) -> tuple[Greeting, int] | None:
    """The answer to this question, and when it came; late answers to earlier ones, of whomever, are passed over."""
    asked_ns = time.time_ns()
    runner.send_message("greeting", {"asked_ns": asked_ns}, client_id=worker)
    with contextlib.suppress(gevent.queue.Empty):
        while True:
            greeting = answers.get(timeout=GREETING_DEADLINE_S)
            if greeting.asked_ns == asked_ns:
                return greeting, time.time_ns()
    return None


def trader_user(tasks: Callable[[], Iterator[Callable[[], None]]]) -> type[User]:
    """Each user takes the next task; `tasks` is asked when the first one starts."""
    left: list[Iterator[Callable[[], None]]] = []

    class TraderUser(User):
        @task
        def trade(self) -> None:
            if not left:
                left.append(tasks())
            next(left[0])()
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


def main() -> int:
    want_descriptors()
    if sys.argv[1:2] == ["--join"]:
        take_precedence()
        Worker(sys.argv[2], sys.argv[4]).run()
        return 0
    say(Ready())
    try:
        assignment = msgspec.json.decode(sys.stdin.buffer.readline(), type=Assignment)
        receipts = ReceiptFile(Path(assignment.receipts))
    except (msgspec.DecodeError, OSError) as error:
        say(Failed(f"no assignment that can be followed: {error}", is_full(error)))
        return 2
    take_precedence()  # by now it is in its CPU group, which may have real time where the one it came from has none
    generator = (
        Master(assignment, receipts) if assignment.workers > 1 or assignment.hosts else Generator(assignment, receipts)
    )
    gevent.signal_handler(signal.SIGTERM, generator.stop.set)
    gevent.signal_handler(signal.SIGINT, generator.stop.set)
    try:
        generator.run()
        receipts.close()
    except BrokenPipeError:
        os._exit(1)  # the lab is gone, and so is the pipe that the interpreter would flush
    except WorkersError as error:
        say(Failed(str(error), disk_is_full=False))
        return 1
    except OSError as error:
        say(Failed(str(error), is_full(error)))
        return 1
    return 0


def is_full(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


if __name__ == "__main__":
    sys.exit(main())
