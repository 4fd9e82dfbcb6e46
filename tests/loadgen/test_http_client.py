"""The client reads what HTTP servers really send, in whatever pieces it comes, and names why there is no answer."""

from __future__ import annotations

import pytest
from gevent import server as gevent_server
from gevent import sleep, socket

from loadgen.http_client import Answer, Connection, Failure, Head, NoAnswerError, read_head

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Scripted:
    """Sends the given pieces after each request; ends the connection after the last script."""

    def __init__(self, *scripts: list[bytes]) -> None:
        self._scripts = list(scripts)
        self.connections = 0
        self.server = gevent_server.StreamServer(("127.0.0.1", 0), self._serve)

    def __enter__(self) -> Connection:
        self.server.start()
        return Connection("127.0.0.1", self.server.server_port, 0.3)

    def __exit__(self, *_: object) -> None:
        self.server.stop(timeout=0)

    def _serve(self, link: socket.socket, _: object) -> None:
        self.connections += 1
        while self._scripts and link.recv(65536):
            for piece in self._scripts.pop(0):
                link.sendall(piece)
                sleep(0.001)
        link.close()


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 12", Head(200, 12, True)),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 107\r\nConnection: close", Head(503, 107, False)),
        (b"HTTP/1.1 201 Created\r\nx: y\r\nCONTENT-LENGTH:5\r\nz: 1", Head(201, 5, True)),
        (b"HTTP/1.1 204 No Content\r\nserver: x", Head(204, 0, True)),
    ],
)
def test_a_head_is_read(head: bytes, expected: Head) -> None:
    assert read_head(head) == expected


@pytest.mark.parametrize(
    "head", [b"HTTP/1.0 200 OK\r\ncontent-length: 1", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", b"HTTP/1.1 ok"]
)
def test_what_it_cannot_read_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError):
        read_head(head)


def test_an_answer_is_whole_however_it_is_cut_and_the_connection_is_kept() -> None:
    whole = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
    script = Scripted([whole[:3], whole[3:30], whole[30:41], whole[41:]], [whole])
    with script as connection:
        assert connection.exchange(REQUEST) == Answer(200, b"hello")
        assert connection.exchange(REQUEST) == Answer(200, b"hello")
    assert script.connections == 1


def test_it_connects_again_after_the_server_has_closed() -> None:
    closing = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"
    script = Scripted([closing], [closing])
    with script as connection:
        assert connection.exchange(REQUEST) == connection.exchange(REQUEST) == Answer(200, b"hi")
    assert script.connections == 2


@pytest.mark.parametrize(
    ("pieces", "failure"),
    [
        ([], Failure.RESET),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe"], Failure.RESET),
        ([b"SSH-2.0\r\n\r\n"], Failure.PROTOCOL),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab"], Failure.PROTOCOL),
    ],
)
def test_an_answer_that_is_none_has_a_reason(pieces: list[bytes], failure: Failure) -> None:
    with Scripted(pieces) as connection, pytest.raises(NoAnswerError) as caught:
        connection.exchange(REQUEST)
    assert caught.value.failure is failure


def test_silence_is_a_timeout() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    with pytest.raises(NoAnswerError) as caught:
        Connection("127.0.0.1", listening.getsockname()[1], 0.05).exchange(REQUEST)
    assert caught.value.failure is Failure.TIMEOUT


def test_nobody_there_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(NoAnswerError) as caught:
        Connection("127.0.0.1", port, 0.3).exchange(REQUEST)
    assert caught.value.failure is Failure.REFUSED
