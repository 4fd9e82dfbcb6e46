"""The hand-made stream against grpcio's server: every size of message, both windows, every way to end."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
import uvloop

from target_system.gateway import grpc_stream
from target_system.gateway.grpc_stream import GrpcStream, StreamEnded, frame, open_stream
from tests.servers import eventually, free_port

PATH = "/test.Echo/Stream"
FAIL = b"fail"


async def echo(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        if request == FAIL:
            await context.abort(grpc.StatusCode.INTERNAL, "asked to")
        yield request


async def with_echo(test: Callable[[str], Any]) -> None:
    options = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
    server = grpc.aio.server(options=options)
    handler = grpc.stream_stream_rpc_method_handler(echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Stream": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        await test(f"127.0.0.1:{port}")
    finally:
        await server.stop(0.1)


async def exchange(target: str, messages: list[bytes]) -> None:
    got: list[bytes] = []
    stream = await open_stream(target, PATH, got.append, 5)
    for message in messages:
        stream.send(message)
    await eventually(lambda: len(got) == len(messages) or stream.ended.done(), "everything comes back")
    assert got == messages
    stream.close()


async def test_messages_of_every_size_come_back_whole_and_in_order() -> None:
    chance = random.Random(3)
    sizes = [0, 1, 16_379, 16_380, 16_384, 65_530, 65_536, 1_000_000, *(chance.randrange(3_000) for _ in range(300))]
    await with_echo(lambda target: exchange(target, [chance.randbytes(size) for size in sizes]))


async def test_more_than_the_window_passes_in_both_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_stream, "WINDOW", 70_000)
    await with_echo(lambda target: exchange(target, [bytes([n]) * 50_000 for n in range(40)]))


def test_it_works_on_uvloop_too() -> None:
    async def run() -> None:
        await with_echo(lambda target: exchange(target, [b"one", b"two"]))

    uvloop.run(run())


async def test_the_end_of_the_call_ends_the_stream() -> None:
    async def run(target: str) -> None:
        stream = await open_stream(target, PATH, lambda _: None, 5)
        stream.send(FAIL)
        async with asyncio.timeout(10):
            assert await stream.ended == "the server ended the stream"

    await with_echo(run)


async def test_a_server_that_goes_away_ends_the_stream() -> None:
    streams = []

    async def run(target: str) -> None:
        streams.append(await open_stream(target, PATH, lambda _: None, 5))
        streams[0].send(b"x")

    await with_echo(run)
    async with asyncio.timeout(10):
        assert (await streams[0].ended).startswith(("the server ", "connection lost: "))


async def test_nobody_listening_is_said() -> None:
    with pytest.raises(StreamEnded, match="no connection"):
        await open_stream(f"127.0.0.1:{free_port()}", PATH, lambda _: None, 1)


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


async def test_frames_may_be_cut_anywhere() -> None:
    got: list[bytes] = []
    stream = GrpcStream("x", PATH, got.append)
    stream.connection_made(Wire())
    message = struct.pack(">BL", 0, 5) + b"hello"
    arrives = (
        frame(grpc_stream.SETTINGS, 0, 0)
        + frame(grpc_stream.DATA, grpc_stream.PADDED, 1, b"\x03" + message[:6] + b"\0\0\0")
        + frame(0xEE, 0, 0, b"a kind that nobody knows yet")
        + frame(grpc_stream.DATA, 0, 1, message[6:] + message)
    )
    for n in range(len(arrives)):
        stream.data_received(arrives[n : n + 1])
    assert got == [b"hello", b"hello"]


async def test_a_ping_is_answered_with_its_own_content() -> None:
    wire = Wire()
    stream = GrpcStream("x", PATH, lambda _: None)
    stream.connection_made(wire)
    stream.data_received(frame(grpc_stream.PING, 0, 0, b"12345678"))
    assert wire.written.endswith(frame(grpc_stream.PING, grpc_stream.ACK, 0, b"12345678"))


async def test_what_the_server_does_not_read_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_stream, "UNSENT_MAX", 100_000)
    wire = Wire()
    stream = GrpcStream("x", PATH, lambda _: None)
    stream.connection_made(wire)
    for _ in range(3):
        stream.send(b"x" * 80_000)
    assert (stream.ended.done(), wire.aborted) == (True, True)
