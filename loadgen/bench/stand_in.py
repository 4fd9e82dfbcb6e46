"""A stand-in for the order path whose behaviour is known: what the generator measures can be checked against it.

`python -m loadgen.bench.stand_in BEHAVIOUR` serves on a port of its choice, says it on standard output, and ends when
its standard input does. It answers every request with an order that rests.

prompt    at once
sleeping  50 ms after each came, however many there are: no CPU is used, and nothing queues
locked    one after the other, 12 ms each: a lock that all share
pool      two at a time, 25 ms each: a pool of two connections
stalling  at once, but nobody is answered for one second, two seconds after the first request
"""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
from collections.abc import Callable
from typing import cast

import uvloop

STALL_AFTER_S, STALL_S = 2.0, 1.0
SLEEP_S = 0.05
LOCK_S = 0.012
POOL, POOL_S = 2, 0.025
BODY = b'{"order_id":%d,"sequence":%d,"outcome":"resting","remaining_lots":5,"fills":[]}'

HEAD = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)

Answers = Callable[[], float]
"""Gives the moment (of the loop's clock) at which a request that came now is answered."""


def sleeping(clock: Callable[[], float]) -> Answers:
    return lambda: clock() + SLEEP_S


def queueing(clock: Callable[[], float], servers: int, service_s: float) -> Answers:
    """First come, first served."""
    free_at = [0.0] * servers

    def answered_at() -> float:
        server = min(range(servers), key=free_at.__getitem__)
        free_at[server] = max(free_at[server], clock()) + service_s
        return free_at[server]

    return answered_at


def stalling(clock: Callable[[], float]) -> Answers:
    first: list[float] = []

    def answered_at() -> float:
        now = clock()
        if not first:
            first.append(now)
        begins = first[0] + STALL_AFTER_S
        return begins + STALL_S if begins <= now < begins + STALL_S else now

    return answered_at


BEHAVIOURS: dict[str, Callable[[Callable[[], float]], Answers]] = {
    "prompt": lambda _: lambda: 0.0,
    "sleeping": sleeping,
    "locked": lambda clock: queueing(clock, 1, LOCK_S),
    "pool": lambda clock: queueing(clock, POOL, POOL_S),
    "stalling": stalling,
}


numbers = itertools.count(1)


class StandIn(asyncio.Protocol):
    """One connection; a request is whole when as many bytes of body came as its head says."""

    def __init__(self, loop: asyncio.AbstractEventLoop, answered_at: Answers) -> None:
        self._loop, self._answered_at = loop, answered_at
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        length = LENGTH.search(self._data, 0, end)
        if len(self._data) < end + 4 + (int(length[1]) if length else 0):
            return
        self._data = b""
        self._answer()

    def _answer(self) -> None:
        moment = self._answered_at()
        if moment <= self._loop.time():
            self._write()
        else:
            self._loop.call_at(moment, self._write)

    def _write(self) -> None:
        number = next(numbers)
        body = BODY % (number, number)
        self._transport.write(HEAD % len(body) + body)


async def serve(behaviour: str) -> None:
    loop = asyncio.get_running_loop()
    answered_at = BEHAVIOURS[behaviour](loop.time)
    server = await loop.create_server(lambda: StandIn(loop, answered_at), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
