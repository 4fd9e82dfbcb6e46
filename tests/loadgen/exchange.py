"""A plain HTTP server that speaks the gateway's answers, misbehaves as planted and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

READ_DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    key: str
    body: dict[str, object]
    at_ns: int
    """Of the wall clock, when all of it had come."""


@dataclass(slots=True)
class Exchange:
    """`with Exchange(plant) as server`: `plant(number)` says what the n-th request (from 1) gets.

    ok, an HTTP status as text, `reset` (connection ended), `silent` (no answer), `close` (ok, then the connection ends)
    or `stall` (from then on, for one second, nobody is answered).
    """

    plant: Callable[[int], str] = lambda _: "ok"
    asked: list[Asked] = field(default_factory=list)
    planted: Counter[str] = field(default_factory=Counter)
    port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        assert self._thread is not None
        self._thread.join(10)
        self._loop.close()

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._flowing.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.asked.append(Asked(method, path, headers["x-api-key"], json.loads(body or b"{}"), time.time_ns()))
        number = len(self.asked)
        how = self.plant(number)
        self.planted[how] += 1
        if how == "stall":
            self._flowing.clear()
            self._loop.call_later(1.0, self._flowing.set)
        await self._flowing.wait()
        if how == "reset":
            return False
        if how == "silent":
            await asyncio.sleep(READ_DEADLINE_S)
        writer.write(answer(number, method, how))
        await writer.drain()
        return how != "close"


def answer(number: int, method: str, how: str) -> bytes:
    status = how if how.isdigit() else "201"
    document: dict[str, object] = {"title": "planted"}
    if status == "201":
        document = {"order_id": number, "sequence": number, "outcome": "resting", "remaining_lots": 5, "fills": []}
    body = json.dumps(document).encode()
    ending = "connection: close\r\n" if how == "close" else ""
    return f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{ending}\r\n".encode() + body
