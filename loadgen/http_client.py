"""One keep-alive HTTP/1.1 connection on gevent sockets: request bytes in, status and body out, nothing else.

Written because a general client costs several times what the request itself does, and the generator's CPU is taken from
the machine under test. It speaks the part of HTTP/1.1 that the gateways and HAProxy use (Content-Length bodies, one
answer a request, `Connection: close`); anything else is a protocol failure. It never repeats a request: whether an
order without an answer happened is not for a client library to decide.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import StrEnum

from gevent import socket

READ_BYTES = 65_536
HEAD_BYTES_MAX = 65_536
HEAD_END = b"\r\n\r\n"


class Failure(StrEnum):
    """Why there is no answer."""

    REFUSED = "refused"
    """No connection: it was never sent."""
    NO_PORT = "no_port"
    """This machine has no port or descriptor left for a connection: it was never sent."""
    RESET = "reset"
    """The connection ended before the whole answer came."""
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    """What came is no HTTP/1.1 answer that this client reads."""


class NoAnswerError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Head:
    status: int
    body_bytes: int
    keeps_alive: bool


class Connection:
    """Owned by one greenlet. Connects when first used and again after a failure.

    `timeout_s` bounds connecting, sending and each wait for bytes.
    """

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self._address, self._timeout_s = (host, port), timeout_s
        self._socket: socket.socket | None = None

    def exchange(self, request: bytes) -> Answer:
        """Raises NoAnswerError; the connection is then closed."""
        link = self._socket or self._connect()
        try:
            link.sendall(request)
            head, body = _receive(link)
        except TimeoutError:
            self.close()
            raise NoAnswerError(Failure.TIMEOUT) from None
        except OSError:
            self.close()
            raise NoAnswerError(Failure.RESET) from None
        except ValueError:
            self.close()
            raise NoAnswerError(Failure.PROTOCOL) from None
        if not head.keeps_alive:
            self.close()
        return Answer(head.status, body)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        try:
            link = socket.create_connection(self._address, self._timeout_s)
        except TimeoutError:
            raise NoAnswerError(Failure.TIMEOUT) from None
        except OSError as error:
            raise NoAnswerError(connect_failure(error.errno)) from None
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = link
        return link


def connect_failure(code: int | None) -> Failure:
    return Failure.NO_PORT if code in (errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE) else Failure.REFUSED


def _receive(link: socket.socket) -> tuple[Head, bytes]:
    """Raises ConnectionError where the peer ends too early, ValueError for what is no answer."""
    data = _some(link)
    while (whole := read_answer(data)) is None:
        data += _some(link)
    return whole


def read_answer(data: bytes) -> tuple[Head, bytes] | None:
    """Head and body, None while some of it has not come. Raises ValueError for what is no answer."""
    end = data.find(HEAD_END)
    if end < 0:
        if len(data) > HEAD_BYTES_MAX:
            raise ValueError("the head has no end")
        return None
    head = read_head(data[:end])
    body = data[end + len(HEAD_END) :]
    if len(body) > head.body_bytes:
        raise ValueError("more than one answer")
    return (head, body) if len(body) == head.body_bytes else None


def _some(link: socket.socket) -> bytes:
    data: bytes = link.recv(READ_BYTES)
    if not data:
        raise ConnectionResetError
    return data


def read_head(data: bytes) -> Head:
    """The status line and the two headers that matter. Raises ValueError."""
    if not data.startswith(b"HTTP/1.1 "):
        raise ValueError("not HTTP/1.1")
    status = int(data[9:12])
    lower = data.lower()
    keeps_alive = b"\r\nconnection: close" not in lower
    start = lower.find(b"\r\ncontent-length:")
    if start < 0:
        if status in (204, 304):
            return Head(status, 0, keeps_alive)
        raise ValueError("no content-length")
    start += len(b"\r\ncontent-length:")
    end = lower.find(b"\r\n", start)
    return Head(status, int(lower[start : end if end >= 0 else None]), keeps_alive)
