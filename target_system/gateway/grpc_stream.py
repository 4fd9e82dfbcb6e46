"""One bidirectional gRPC stream as an asyncio protocol: the few parts of HTTP/2 (RFC 9113) that such a stream needs.

grpcio's asyncio stream costs some 220 µs of CPU for each message and its answer: threads of its own, a wake-up
through a socket, several tasks a call. This costs a tenth of it and wakes nobody but the event loop. It speaks to a
trusted server on a private network, without TLS: one stream a connection, no header compression of its own, and the
server's headers are not read, only that they end the stream. All other calls go through grpcio.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import cast

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7, 0x8
END_STREAM, END_HEADERS, ACK, PADDED = 0x1, 0x4, 0x1, 0x8
SETTING_HEADER_TABLE_SIZE, SETTING_INITIAL_WINDOW, SETTING_MAX_FRAME = 0x1, 0x4, 0x5

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STREAM = 1
WINDOW = 2**24
"""What the server may send before it hears that it was read; we read at once, so it hears at half of it."""
DEFAULT_WINDOW = 65_535
DEFAULT_MAX_FRAME = 16_384
UNSENT_MAX = 2**24

_frame_head = struct.Struct(">HBBBL")  # length in 3 bytes, type, flags, stream
_message_head = struct.Struct(">BL")  # compressed, length


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    size = len(payload)
    return _frame_head.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def plain_headers(headers: dict[str, str]) -> bytes:
    """An HPACK block of literals that neither side remembers (RFC 7541, 6.2.2); each name and value below 127 bytes."""
    block = bytearray()
    for name, value in headers.items():
        block.append(0)
        for text in (name.encode(), value.encode()):
            if len(text) >= 127:
                raise ValueError(f"{name}: {len(text)} bytes are too long for a header here")
            block.append(len(text))
            block += text
    return bytes(block)


def opening(authority: str, path: str) -> bytes:
    settings = struct.pack(">HLHL", SETTING_HEADER_TABLE_SIZE, 0, SETTING_INITIAL_WINDOW, WINDOW)
    headers = plain_headers(
        {
            ":method": "POST", ":scheme": "http", ":path": path, ":authority": authority, "te": "trailers",
            "content-type": "application/grpc",
        }
    )  # fmt: skip
    return (
        PREFACE
        + frame(SETTINGS, 0, 0, settings)
        + frame(WINDOW_UPDATE, 0, 0, struct.pack(">L", WINDOW - DEFAULT_WINDOW))
        + frame(HEADERS, END_HEADERS, STREAM, headers)
    )


class StreamEnded(Exception):
    """The stream is over; the text says why."""


class GrpcStream(asyncio.Protocol):
    """Open it with `open_stream`. `ended` gets the reason when the stream is over, whoever ended it."""

    def __init__(self, authority: str, path: str, on_message: Callable[[bytes], None]) -> None:
        self._opening, self._on_message = opening(authority, path), on_message
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._message = bytearray()
        self._unsent = bytearray()
        self._may_send = DEFAULT_WINDOW
        self._may_send_on_stream = DEFAULT_WINDOW
        self._initial_window = DEFAULT_WINDOW
        self._max_frame = DEFAULT_MAX_FRAME
        self._unreported = 0

    def send(self, message: bytes) -> None:
        """Queue one message; bytes beyond the server's window wait here, at most UNSENT_MAX of them."""
        if len(self._unsent) + len(message) > UNSENT_MAX:
            self._end(f"{len(self._unsent)} bytes wait to be sent, the most that may")
            return
        self._unsent += _message_head.pack(0, len(message))
        self._unsent += message
        self._flush()

    def close(self) -> None:
        self._end("closed here")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by behaviour, not by class
        self._transport.write(self._opening)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"connection lost: {exc}" if exc else "the server closed the connection")

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        start, count = 0, len(received)
        while count - start >= 9:
            high, low, kind, flags, stream = _frame_head.unpack_from(received, start)
            end = start + 9 + (high << 8) + low
            if end > count:
                break
            self._take(kind, flags, stream, bytes(received[start + 9 : end]))
            start = end
        del received[:start]

    def _flush(self) -> None:
        """Send what the server's windows allow, all in one write."""
        out = bytearray()
        sent = 0
        while sent < len(self._unsent):
            size = min(len(self._unsent) - sent, self._max_frame, self._may_send, self._may_send_on_stream)
            if size <= 0:
                break
            out += frame(DATA, 0, STREAM, bytes(self._unsent[sent : sent + size]))
            sent += size
            self._may_send -= size
            self._may_send_on_stream -= size
        del self._unsent[:sent]
        self._write(bytes(out))

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:
            self._take_data(flags, payload)
        elif kind == WINDOW_UPDATE:
            (more,) = struct.unpack(">L", payload)
            if stream:
                self._may_send_on_stream += more
            else:
                self._may_send += more
            self._flush()
        elif kind == SETTINGS and not flags & ACK:
            self._take_settings(payload)
        elif kind == PING and not flags & ACK:
            self._write(frame(PING, ACK, 0, payload))
        elif kind == HEADERS and flags & END_STREAM:
            self._end("the server ended the stream")
        elif kind == RST_STREAM:
            self._end(f"the server reset the stream, code {int.from_bytes(payload, 'big')}")
        elif kind == GOAWAY:
            self._end("the server is going away")

    def _take_settings(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack(">HL", payload):
            if name == SETTING_INITIAL_WINDOW:
                self._may_send_on_stream += value - self._initial_window
                self._initial_window = value
            elif name == SETTING_MAX_FRAME:
                self._max_frame = value
        self._write(frame(SETTINGS, ACK, 0))
        self._flush()

    def _take_data(self, flags: int, payload: bytes) -> None:
        self._unreported += len(payload)
        if self._unreported >= WINDOW // 2:
            more = struct.pack(">L", self._unreported)
            self._write(frame(WINDOW_UPDATE, 0, 0, more) + frame(WINDOW_UPDATE, 0, STREAM, more))
            self._unreported = 0
        message = self._message
        message += payload[1 : len(payload) - payload[0]] if flags & PADDED else payload
        start = 0
        while len(message) - start >= 5:
            compressed, size = _message_head.unpack_from(message, start)
            if compressed:
                self._end("the server sent a compressed message, which was not asked for")
                return
            if len(message) - start - 5 < size:
                break
            self._on_message(bytes(message[start + 5 : start + 5 + size]))
            start += 5 + size
        del message[:start]
        if flags & END_STREAM:
            self._end("the server ended the stream")

    def _end(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_result(why)
        if self._transport is not None:
            self._transport.abort()


async def open_stream(target: str, path: str, on_message: Callable[[bytes], None], deadline_s: float) -> GrpcStream:
    """Connect and start the call. Raises StreamEnded."""
    host, _, port = target.rpartition(":")
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(deadline_s):
            _, stream = await loop.create_connection(lambda: GrpcStream(target, path, on_message), host, int(port))
    except (OSError, TimeoutError) as error:
        raise StreamEnded(f"no connection to {target}: {error!r}") from error
    return stream
