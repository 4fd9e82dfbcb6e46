"""The connections of the open loop: as many as requests are in flight, each watched by the event loop.

A request goes out at once from whoever found it due, and its answer is read in the event loop's own callback: no
greenlet is woken for it, so sending stays on time while thousands of answers are open. A connection that has to be made
first is the system's time, not the generator's: a request counts as sent when it is given to its connection.
"""

from __future__ import annotations

import errno
import time
from collections import deque
from dataclasses import dataclass, field
from socket import AF_INET, IPPROTO_TCP, SO_ERROR, SOCK_STREAM, SOL_SOCKET, TCP_NODELAY
from typing import Any

import gevent
from gevent import monkey
from gevent.event import Event

from loadgen.desk import Command
from loadgen.http_client import READ_BYTES, Failure, connect_failure, read_answer
from loadgen.receipts import FAILURES

plain_socket: Any = monkey.get_original("socket", "socket")
"""Not gevent's: nothing here may switch greenlets."""
READABLE, WRITABLE = 1, 2
EXPIRE_EVERY_S = 0.01


@dataclass(slots=True, eq=False)
class Link:
    """A connection; `command` is the one it carries, None while it is idle."""

    socket: Any
    watcher: Any
    command: Command | None = None
    unsent: bytes = b""
    data: bytes = b""


@dataclass(slots=True)
class Pool:
    """At most `in_flight_max` requests unanswered. `send` needs a free place; `await_place` waits for one."""

    host: str
    port: int
    timeout_s: float
    in_flight_max: int
    in_flight: int = field(default=0, init=False)
    full_until_ns: int = field(default=0, init=False)
    """When it was last full: what was due before could not be sent earlier."""
    _idle: list[Link] = field(default_factory=list, init=False)
    _deadlines: deque[tuple[int, Link, Command]] = field(default_factory=deque, init=False)
    _freed: Event = field(default_factory=Event, init=False)

    @property
    def is_full(self) -> bool:
        return self.in_flight >= self.in_flight_max

    def await_place(self, until_ns: int) -> bool:
        """Whether one came free before `until_ns`."""
        while self.is_full and (left_ns := until_ns - time.monotonic_ns()) > 0:
            self._freed.clear()
            self._freed.wait(left_ns / 1e9)
        return not self.is_full

    def send(self, command: Command) -> None:
        """Never waits; what becomes of the command is noted at its desk."""
        self.in_flight += 1
        link = self._idle.pop() if self._idle else self._connect(command)
        if link is None:
            return
        link.command, link.unsent = command, command.request
        self._deadlines.append((command.sent_ns + int(self.timeout_s * 1e9), link, command))
        if link.watcher.events == READABLE:
            self._write(link)

    def expire_for_ever(self) -> None:
        """A greenlet's work: gives up what is unanswered for too long."""
        while True:
            gevent.sleep(EXPIRE_EVERY_S)
            now_ns = time.monotonic_ns()
            while self._deadlines and self._deadlines[0][0] <= now_ns:
                _, link, command = self._deadlines.popleft()
                if link.command is command:
                    self._fail(link, Failure.TIMEOUT)

    def abandon(self) -> None:
        """Ends every connection; what is unanswered is noted as abandoned."""
        for _, link, command in self._deadlines:
            if link.command is command:
                command.desk.abandoned(command, time.monotonic_ns())
                self._close(link)
                self.in_flight -= 1
        while self._idle:
            self._close(self._idle.pop())

    def _connect(self, command: Command) -> Link | None:
        try:
            link_socket = plain_socket(AF_INET, SOCK_STREAM)
            link_socket.setblocking(False)
            link_socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            code = link_socket.connect_ex((self.host, self.port))
        except OSError as error:
            code = error.errno
        if code not in (0, errno.EINPROGRESS):
            command.desk.failed(command, FAILURES[connect_failure(code)], time.monotonic_ns())
            self._free()
            return None
        watcher = gevent.get_hub().loop.io(link_socket.fileno(), WRITABLE)
        link = Link(link_socket, watcher)
        watcher.start(self._connected, link)
        return link

    def _connected(self, link: Link) -> None:
        code = link.socket.getsockopt(SOL_SOCKET, SO_ERROR)
        if code:
            self._fail(link, Failure.TIMEOUT if code == errno.ETIMEDOUT else connect_failure(code))
            return
        self._watch(link, READABLE, self._readable)
        self._write(link)

    def _write(self, link: Link) -> None:
        try:
            link.unsent = link.unsent[link.socket.send(link.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._fail(link, Failure.RESET)
            return
        if link.unsent:
            self._watch(link, WRITABLE, self._writable)

    def _writable(self, link: Link) -> None:
        self._watch(link, READABLE, self._readable)
        self._write(link)

    def _watch(self, link: Link, events: int, then: Any) -> None:
        link.watcher.stop()
        link.watcher.close()
        link.watcher = gevent.get_hub().loop.io(link.socket.fileno(), events)
        link.watcher.start(then, link)

    def _readable(self, link: Link) -> None:
        try:
            came = link.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            came = b""
        command = link.command
        if command is None:  # idle: the server has closed it, or speaks out of turn
            self._idle.remove(link)
            self._close(link)
            return
        if not came:
            self._fail(link, Failure.RESET)
            return
        link.data += came
        try:
            whole = read_answer(link.data)
        except ValueError:
            self._fail(link, Failure.PROTOCOL)
            return
        if whole is None:
            return
        answered_ns = time.monotonic_ns()
        head, body = whole
        link.command, link.data = None, b""
        if head.keeps_alive:
            self._idle.append(link)
        else:
            self._close(link)
        command.desk.answered(command, head.status, body, answered_ns)
        self._free()

    def _fail(self, link: Link, failure: Failure) -> None:
        command, link.command = link.command, None
        assert command is not None
        self._close(link)
        command.desk.failed(command, FAILURES[failure], time.monotonic_ns())
        self._free()

    def _free(self) -> None:
        if self.is_full:
            self.full_until_ns = time.monotonic_ns()
        self.in_flight -= 1
        while self._deadlines and self._deadlines[0][1].command is not self._deadlines[0][2]:
            self._deadlines.popleft()
        if not self._freed.is_set():
            self._freed.set()

    @staticmethod
    def _close(link: Link) -> None:
        link.watcher.stop()
        link.watcher.close()
        link.socket.close()
