"""Clients that send orders when they are due and try again what was refused: an open loop with a storm of retries.

The campaigns' generator sends each command once, so that a figure means one thing. An overload is made worse by those
who do not take no for an answer; here a refused order (429, 503) is tried again after its `retry-after`, somewhat
varied, as a well-behaved client does.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Self, cast

from loadgen.http_client import read_answer
from loadgen.order_flow import Mix, NewOrder, OrderFlow, PriceWalk, Tape
from loadgen.wire import Requests, client_order_id

REFUSED = (429, 503)
RETRY_AFTER_S = 1.0
CONNECTIONS_MAX = 2_000
ANSWER_DEADLINE_S = 10.0
UNSENT, BROKEN = 0, -1
"""In the place of a status: no connection was free, or the connection ended or the answer came too late."""


@dataclass(frozen=True, slots=True)
class Try:
    """One request of an order. Moments of the monotonic clock, in seconds; `sent_s` may be later than `due_s`."""

    due_s: float
    sent_s: float
    answered_s: float
    status: int


@dataclass(frozen=True, slots=True)
class Phase:
    """A time in which a rate was offered."""

    rate_per_s: float
    began_s: float
    ended_s: float


class _Link(asyncio.Protocol):
    """A keep-alive connection with at most one request under way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, float]] | None = None
        self._data = b""

    async def ask(self, request: bytes) -> tuple[int, float]:
        """The status and the moment of its answer; BROKEN if the connection ends or the deadline comes first."""
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        self._answer, self._data = loop.create_future(), b""
        deadline = loop.call_later(ANSWER_DEADLINE_S, self.close)
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            deadline.cancel()

    @property
    def is_usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        found = read_answer(self._data)
        if found is not None and self._answer is not None and not self._answer.done():
            head, _ = found
            self._answer.set_result((head.status, time.monotonic()))
            if not head.keeps_alive:
                self.close()

    def connection_lost(self, _: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((BROKEN, time.monotonic()))


class Clients:
    """`offer` as often as wanted, then `settled`; `tries` holds every request with its fate."""

    def __init__(self, host: str, port: int, keys: Sequence[str], symbols: tuple[str, ...], seed: int = 1) -> None:
        self.tries: list[Try] = []
        self._address = (host, port)
        self._requests = [Requests(f"{host}:{port}", key) for key in keys]
        walk, mix = PriceWalk(seed, len(symbols)), Mix(add=0.8, cancel=0.0, take=0.2)
        self._flows = [OrderFlow(seed, user, symbols, mix, walk, Tape()) for user in range(len(keys))]
        self._draw = Random(f"{seed}/retrying")
        self._idle: deque[_Link] = deque()
        self._links = 0
        self._orders: set[asyncio.Task[None]] = set()
        self._number = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for order in self._orders:
            order.cancel()
        for link in self._idle:
            link.close()

    async def offer(self, rate_per_s: float, seconds: float, tries_max: int) -> Phase:
        """New orders as a Poisson process. Returns when the last is due; those refused go on being tried again."""
        began = due = time.monotonic()
        while (due := due + self._draw.expovariate(rate_per_s)) < began + seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            order = asyncio.create_task(self._order(self._composed(), due, tries_max))
            self._orders.add(order)
            order.add_done_callback(self._orders.discard)
        return Phase(rate_per_s, began, began + seconds)

    async def settled(self) -> None:
        """Until each order has its fate."""
        while self._orders:
            await asyncio.wait(self._orders)

    def _composed(self) -> bytes:
        self._number += 1
        user = self._number % len(self._flows)
        order = self._flows[user].next_command()
        assert isinstance(order, NewOrder)  # the mix has no cancels
        return self._requests[user].new_order(client_order_id("overload", user, self._number), order)

    async def _order(self, request: bytes, due: float, tries_max: int) -> None:
        for _ in range(tries_max):
            status = await self._try(request, due)
            if status not in REFUSED:
                return
            due = time.monotonic() + RETRY_AFTER_S * self._draw.uniform(0.8, 1.2)
            await asyncio.sleep(due - time.monotonic())

    async def _try(self, request: bytes, due: float) -> int:
        link = await self._link()
        sent = answered = time.monotonic()
        status = UNSENT
        if link is not None:
            status, answered = await link.ask(request)
            self._give_back(link)
        self.tries.append(Try(due, sent, answered, status))
        return status

    async def _link(self) -> _Link | None:
        while self._idle:
            link = self._idle.pop()
            if link.is_usable:
                return link
            self._links -= 1
        if self._links >= CONNECTIONS_MAX:
            return None
        self._links += 1
        try:
            _, link = await asyncio.get_running_loop().create_connection(_Link, *self._address)
        except OSError:
            self._links -= 1
            return None
        return link

    def _give_back(self, link: _Link) -> None:
        if link.is_usable:
            self._idle.append(link)
        else:
            self._links -= 1
