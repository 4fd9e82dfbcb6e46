"""How the supervisor is talked to: JSON lines over a unix socket in the cluster's directory.

One request a connection: `{"do": "renew", ...}`. Answers are `{"said": sentence}` for people, any number, and then one
`{"done": value}` or `{"failed": sentence}`. The socket is reached through its directory's descriptor, since the path of
a unix socket may have 107 bytes and that of a checkout has no bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

LINE_BYTES_MAX = 16 * 1024 * 1024
CONNECT_DEADLINE_S = 2.0

Say = Callable[[str], None]
Handler = Callable[[dict[str, Any], Say], Awaitable[Any]]


class Refused(Exception):
    """The supervisor could not do what it was asked; the text is for people."""


class Unreachable(Exception):
    """No supervisor answers there."""


def ask(path: Path, request: dict[str, Any], deadline_s: float, say: Say = lambda _: None) -> Any:
    """The `done` of one request. Raises Refused or Unreachable; the deadline is for each line."""
    try:
        with short_path(path) as short, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(CONNECT_DEADLINE_S)
            connection.connect(short)
            connection.settimeout(deadline_s)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as lines:
                for line in lines:
                    answer = json.loads(line)
                    if "done" in answer:
                        return answer["done"]
                    if "failed" in answer:
                        raise Refused(answer["failed"])
                    say(answer["said"])
    except OSError as error:
        raise Unreachable(f"the supervisor does not answer {request['do']} at {path}: {error}") from error
    raise Unreachable(f"the supervisor ended while it was asked to {request['do']}")


async def serve(path: Path, handler: Handler, failures: tuple[type[Exception], ...]) -> asyncio.AbstractServer:
    """Answer every request with `handler`; its errors of these kinds are what the asker is told."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def put(**line: Any) -> None:
            if not writer.is_closing():
                writer.write(json.dumps(line).encode() + b"\n")

        try:
            request = json.loads(await reader.readline())
            put(done=await handler(request, lambda sentence: put(said=sentence)))
        except failures as error:
            put(failed=str(error))
        finally:
            with contextlib.suppress(OSError):
                await writer.drain()
                writer.close()

    listener = socket.socket(socket.AF_UNIX)
    path.unlink(missing_ok=True)
    with short_path(path) as short:
        listener.bind(short)
    path.chmod(0o600)
    return await asyncio.start_unix_server(answer, sock=listener, limit=LINE_BYTES_MAX)


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """The same socket by a path that is short enough, for as long as the block takes."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
