"""uvicorn's HTTP/1.1 with a bound on the head of a request: its own reads headers for as long as they come."""

from __future__ import annotations

import math

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from target_system.gateway import replies

HEAD_BYTES_MAX = 16_384


class BoundedHead(HttpToolsProtocol):
    _head_bytes: float = 0
    """Of the head that is being read; endlessly few while it is a body."""

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._refuse()

    def on_headers_complete(self) -> None:
        self._head_bytes = -math.inf
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        super().on_message_complete()

    def _refuse(self) -> None:
        said = replies.head_too_large(HEAD_BYTES_MAX)
        headers = (*said.headers, (b"content-length", b"%d" % len(said.body)), (b"connection", b"close"))
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + lines + b"\r\n" + said.body)
        self.transport.close()
