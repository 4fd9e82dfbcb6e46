"""The processes that send for the generator's master: on this machine, and by ssh one on each other host. No locust.

A host needs a checkout like this one and an account that ssh enters without a question. Master and cluster listen on
loopback here alone; ssh brings both to loopback there, and carries the requests as well. A worker ends with its
standard input, so it outlives neither its master nor the connection.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import random
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from loadgen.assignment import Assignment
from loadgen.process import take_precedence

LOCAL = "127.0.0.1"
PORTS_THERE = range(10_000, 20_000)
"""Below those of clusters (deploy/local/site.py) and of clients; ssh ends at once where one is taken."""
FAREWELL_DEADLINE_S = 3.0
SSH = (
    "ssh", "-T", "-S", "none", "-o", "ControlMaster=no", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10",
    "-o", "ExitOnForwardFailure=yes", "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=3",
)  # fmt: skip


class WorkersError(Exception):
    """The workers did not come, or are none that can be worked with; the text says which, why and what to do."""


class Greeting(msgspec.Struct, frozen=True):
    """What a worker says when it is asked, several times, for its clock."""

    asked_ns: int
    """The asker's wall clock then, as it was told."""
    clock_ns: int
    """The worker's own."""
    host: str
    """As it is named in the campaign; "" on the master's machine."""
    sources: str
    """`sources()` of its checkout."""
    cores: int


@dataclass(frozen=True, slots=True)
class Clock:
    """How far a host's wall clock is ahead of ours, to within `error_ns` either way."""

    ahead_ns: int
    error_ns: int


def clock_of(exchanges: Sequence[tuple[int, int, int]]) -> Clock:
    """From what was asked, answered there and heard, each by its own clock, in ns: the quickest exchange bounds the
    offset best (F. Cristian, Probabilistic clock synchronization, Distributed Computing 3, 1989)."""
    asked_ns, there_ns, heard_ns = min(exchanges, key=lambda each: each[2] - each[0])
    return Clock(there_ns - (asked_ns + heard_ns) // 2, (heard_ns - asked_ns) // 2)


@functools.cache
def sources() -> str:
    """A hash of the generator's program and of the versions that it runs on: schedule and flow follow from both, so
    master and workers must have one and the same."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in (*sorted(root.glob("loadgen/*.py")), root / "target_system/orders.py", root / "requirements.lock"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that was started here: the worker, or the ssh that holds one. `port`: where it finds the cluster."""

    host: str
    port: int
    process: subprocess.Popen[bytes]

    def last_words(self) -> str:
        """Once it has ended: what it wrote of why."""
        return self.process.stderr.read().decode(errors="replace").strip() if self.process.stderr else ""


class Workers:
    """Those of one window; `hired` starts and ends them."""

    def __init__(self, hired: Sequence[Worker]) -> None:
        self._hired = hired

    def __len__(self) -> int:
        return len(self._hired)

    def check(self) -> None:
        """Raises WorkersError where one has ended before its work began."""
        for each in self._hired:
            if (code := each.process.poll()) is not None:
                raise WorkersError(
                    f"the worker {f'on {each.host}' if each.host else 'of this machine'} ended with code {code} before"
                    f" it could join: {each.last_words() or 'it said nothing; read the log'}"
                )

    def port_at(self, host: str) -> int:
        return next(each.port for each in self._hired if each.host == host)

    def tunnels_cpu_seconds(self) -> list[float]:
        """What each ssh has used in all, with the proxy that it may have started."""
        return [_cpu_seconds(pids) for pids in self._tunnels]

    @functools.cached_property
    def _tunnels(self) -> list[list[psutil.Process]]:
        """Seen once, when all have joined."""
        found = []
        for each in self._hired:
            with contextlib.suppress(psutil.NoSuchProcess):
                tunnel = psutil.Process(each.process.pid)
                found += [[tunnel, *tunnel.children(recursive=True)]] if each.host else []
        return found


def _cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    used = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used += times.user + times.system
    return used


@contextlib.contextmanager
def hired(told: Assignment, port: int) -> Iterator[Workers]:
    """`told.workers` in all, one on each of its hosts and the others here, who join the master at this port."""
    started: list[Worker] = []
    try:
        for _ in range(told.workers - len(told.hosts)):
            command = _joining(sys.executable, port, "")
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
            started.append(Worker("", told.port, process))
        ports = iter(random.sample(PORTS_THERE, 2 * len(told.hosts)))
        started.extend(_on_host(host, told, port, next(ports), next(ports)) for host in told.hosts)
        yield Workers(started)
    finally:
        for each in started:
            with contextlib.suppress(BrokenPipeError):
                each.process.stdin.close()  # type: ignore[union-attr]
        for each in started:
            _end(each)


def _joining(python: str, port: int, host: str) -> list[str]:
    return [python, "-m", "loadgen.users", "--join", f"{LOCAL}:{port}", "--as", host]


def _on_host(host: str, told: Assignment, port: int, port_there: int, cluster_there: int) -> Worker:
    login, _, directory = host.partition(":")
    program = shlex.join(_joining(".venv/bin/python", port_there, host))
    tunnels = [f"{LOCAL}:{port_there}:{LOCAL}:{port}", f"{LOCAL}:{cluster_there}:{told.host}:{told.port}"]
    forwards = [word for tunnel in tunnels for word in ("-R", tunnel)]
    command = [*SSH, *forwards, "--", login, f"cd {shlex.quote(directory)} && exec {program}"]
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    except FileNotFoundError as error:
        raise WorkersError(f"{host}: there is no ssh on this machine; install openssh-client") from error
    take_precedence(process.pid)  # as its workers have it; at the usual priority each request would wait here
    return Worker(host, cluster_there, process)


def _end(worker: Worker) -> None:
    """Its standard input is closed, so it is about to end by itself."""
    try:
        worker.process.wait(FAREWELL_DEADLINE_S)
    except subprocess.TimeoutExpired:
        worker.process.terminate()
        worker.process.wait()
    if said := worker.last_words():
        print(f"{worker.host}: {said}", file=sys.stderr)
