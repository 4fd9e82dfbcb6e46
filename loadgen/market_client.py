"""The process that watches the market beside the load: clients of the stream, or clients that ask for every book.

A trade's age is the time from the gateway's receipt of its order to the moment when a client knows of it. Streamed
trades bring that time along. A polled book does not: one more client streams then, and a poller knows of a trade when
it holds a book whose sequence number is the trade's or a later one. It is told what to do on its standard input, says
when every client has what it needs, works until that input ends, and writes every age to a file.
"""

from __future__ import annotations

import asyncio
import sys
import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

ASKED_DEADLINE_S = 10.0


class Watch(msgspec.Struct, frozen=True):
    """What to watch, and how. The key travels through a pipe."""

    address: str
    api_key: str
    kind: str
    """stream or poll"""
    clients: int
    every_s: float
    """How long a poller waits from one look at all books to the next."""
    symbols: tuple[str, ...]
    ages: str
    """The file for what was seen: pairs of int64 (ns): when a client knew of a trade, and the trade's age then."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    pass


class Watched(msgspec.Struct, frozen=True, tag="watched"):
    cpu_share: float
    """Of one core, from the first line to the last: the process has one thread."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    reason: str


Said = Ready | Watched | Failed
encode = msgspec.json.Encoder().encode
_decode_said = msgspec.json.Decoder(Said).decode
_decode_watch = msgspec.json.Decoder(Watch).decode


class _Trade(msgspec.Struct):
    time_ns: int


class _Told(msgspec.Struct):
    sequence: int
    symbol: str = ""
    trades: tuple[_Trade, ...] = ()


class _Book(msgspec.Struct):
    sequence: int


_decode_told = msgspec.json.Decoder(_Told).decode
_decode_book = msgspec.json.Decoder(_Book).decode
Note = Callable[[_Told, int], None]
"""Takes a message of the stream and when it came, ns."""


@dataclass(slots=True)
class _Poller:
    """Symbol → the sequence numbers of its books, ascending, and when each came."""

    sequences: dict[str, list[int]]
    at_ns: dict[str, list[int]]


@dataclass(slots=True)
class _Desk:
    watch: Watch
    ready: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Released once by each client that has its first books."""
    known: list[tuple[int, int]] = field(default_factory=list)

    async def work(self) -> None:
        witnessed: list[_Told] = []
        pollers: list[_Poller] = []
        if self.watch.kind == "stream":
            tasks = [asyncio.create_task(self._stream(self._note)) for _ in range(self.watch.clients)]
        else:
            books = self.watch.symbols
            pollers = [
                _Poller({name: [] for name in books}, {name: [] for name in books}) for _ in range(self.watch.clients)
            ]
            tasks = [asyncio.create_task(self._poll(poller, at)) for at, poller in enumerate(pollers)]
            tasks.append(asyncio.create_task(self._stream(lambda told, _: witnessed.append(told))))
        ended = asyncio.create_task(_end_of_input())
        await self._until(ended, tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for poller in pollers:
            self._note_polled(poller, witnessed)

    async def _until(self, ended: asyncio.Task[None], tasks: list[asyncio.Task[None]]) -> None:
        """A client that fails ends them all: its exception is raised."""
        all_ready = asyncio.create_task(self._all_ready(len(tasks)))
        done, _ = await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
        all_ready.cancel()
        for task in done:
            task.result()

    async def _all_ready(self, clients: int) -> None:
        for _ in range(clients):
            await self.ready.acquire()
        say(Ready())

    async def _stream(self, note: Note) -> None:
        """Connects again where it is cut off, as a client would."""
        headers, is_new = {"x-api-key": self.watch.api_key}, True
        async for socket in connect(f"ws://{self.watch.address}/v1/stream", additional_headers=headers):
            async for message in socket:
                note(_decode_told(message), time.time_ns())
                if is_new:
                    is_new = False
                    self.ready.release()

    async def _poll(self, poller: _Poller, number: int) -> None:
        """The pollers' moments lie evenly in the interval, as those of clients that know nothing of each other."""
        watch, is_new = self.watch, True
        due = time.monotonic() + watch.every_s * number / watch.clients
        async with httpx.AsyncClient(
            base_url=f"http://{watch.address}",
            headers={"x-api-key": watch.api_key},
            timeout=ASKED_DEADLINE_S,
            trust_env=False,
        ) as client:
            while True:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due = max(due + watch.every_s, time.monotonic())
                for symbol in watch.symbols:
                    await self._look(client, symbol, poller)
                if is_new:
                    is_new = False
                    self.ready.release()

    async def _look(self, client: httpx.AsyncClient, symbol: str, poller: _Poller) -> None:
        try:
            answer = (await client.get(f"/v1/book/{symbol}")).raise_for_status()
        except (httpx.TransportError, httpx.HTTPStatusError):
            return  # as a client would, it asks again when it is due
        sequence, seen = _decode_book(answer.content).sequence, poller.sequences[symbol]
        if not seen or sequence > seen[-1]:
            seen.append(sequence)
            poller.at_ns[symbol].append(time.time_ns())

    def _note(self, told: _Told, at_ns: int) -> None:
        self.known += [(at_ns, at_ns - trade.time_ns) for trade in told.trades]

    def _note_polled(self, poller: _Poller, witnessed: list[_Told]) -> None:
        for told in witnessed:
            if not told.trades or told.symbol not in poller.sequences:
                continue
            first = bisect_left(poller.sequences[told.symbol], told.sequence)
            if first < len(poller.sequences[told.symbol]):
                self._note(told, poller.at_ns[told.symbol][first])


async def _end_of_input() -> None:
    """Not in a thread: one that reads for ever would keep a process alive whose clients have failed."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    await reader.read()


def decode_said(line: bytes) -> Said:
    """Raises msgspec.DecodeError."""
    said: Said = _decode_said(line)
    return said


def say(said: Said) -> None:
    sys.stdout.buffer.write(encode(said) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    watch, began = _decode_watch(sys.stdin.buffer.readline()), time.monotonic()
    desk = _Desk(watch)
    try:
        asyncio.run(desk.work())
    except (OSError, WebSocketException, httpx.HTTPError) as error:
        say(Failed(f"{watch.address}: {error}"))
        sys.exit(1)
    Path(watch.ages).write_bytes(np.array(desk.known, dtype=np.int64).tobytes())
    say(Watched(time.process_time() / (time.monotonic() - began)))


if __name__ == "__main__":
    main()
