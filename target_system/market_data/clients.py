"""Clients and what waits for each: bounded, and nobody waits for the slow one. No I/O.

A client for which more than its bound waits when something is to be added is dropped: what waits goes, and its
connection is told why.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable


class Client:
    """One WebSocket's queue. `next` is for its sender alone."""

    def __init__(self, account: int, symbols: frozenset[int], bytes_max: int) -> None:
        self.account, self.symbols, self._bytes_max = account, symbols, bytes_max
        self._waiting: deque[str] = deque()
        self._filled = asyncio.Event()
        self.dropped = asyncio.Event()
        self.waiting_bytes = 0
        """Stays as it was when the client was dropped."""

    def put(self, *messages: str) -> None:
        if self.dropped.is_set():
            return
        if self.waiting_bytes > self._bytes_max:
            self._waiting.clear()
            self.dropped.set()
            return
        self._waiting += messages
        self.waiting_bytes += sum(map(len, messages))
        self._filled.set()

    async def next(self) -> str:
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        message = self._waiting.popleft()
        self.waiting_bytes -= len(message)
        return message


class Clients:
    """All of them, by symbol."""

    def __init__(self, symbols: int) -> None:
        self.all: set[Client] = set()
        self._of: list[set[Client]] = [set() for _ in range(symbols)]

    def add(self, client: Client) -> None:
        self.all.add(client)
        for symbol in client.symbols:
            self._of[symbol].add(client)

    def remove(self, client: Client) -> None:
        self.all.discard(client)
        for symbol in client.symbols:
            self._of[symbol].discard(client)

    def tell(self, symbol: int, render: Callable[[], str]) -> None:
        """To all that want this symbol; rendered once, and not at all where nobody does."""
        if self._of[symbol]:
            message = render()
            for client in self._of[symbol]:
                client.put(message)

    def tell_anew(self, symbols: Iterable[int], render: Callable[[int], str]) -> None:
        """To each client the snapshots that it wants of these, at once."""
        snapshots = {symbol: render(symbol) for symbol in symbols if self._of[symbol]}
        for client in self.all:
            client.put(*(snapshot for symbol, snapshot in snapshots.items() if symbol in client.symbols))

    def tell_all(self, message: str) -> None:
        for client in self.all:
            client.put(message)

    @property
    def waiting_bytes_max(self) -> int:
        return max((client.waiting_bytes for client in self.all), default=0)
