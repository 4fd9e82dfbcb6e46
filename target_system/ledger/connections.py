"""A bounded set of connections to one ledger, kept open for as long as the process lives.

asyncpg's own pool resets a connection and starts a task on each release, which costs as much as the insert itself; here
a release is an append to a list. A broken connection is replaced with back-off; a wait for a free one has a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any, Protocol

import asyncpg

BACK_OFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)
CONNECT_DEADLINE_S = 2.0
WAITERS_MAX = 4_096

LOST = (
    asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError, OSError,
)  # fmt: skip
"""What asyncpg raises when the server or the connection to it is gone. InternalClientError: the server said goodbye to
an idle connection and its end has not been read yet."""


class LedgerAway(Exception):
    """No connection within the deadline, or it broke. Whether a statement under way was committed is not known."""


class Watcher(Protocol):
    """Told when connections come and go."""

    def connected(self, shard: str) -> None: ...
    def lost(self, shard: str, error: str) -> None: ...


class SilentWatcher:
    """For those whose own calls notice a ledger that is away."""

    def connected(self, shard: str) -> None:
        pass

    def lost(self, shard: str, error: str) -> None:
        pass


class Connections:
    """Up to `size` connections to one shard. `free`, `open_count`, `withheld` and `waiting` are for gauges."""

    def __init__(self, dsn: str, size: int, shard: str, watcher: Watcher, statement_timeout_ms: int) -> None:
        self.shard, self.dsn, self._size, self._watcher = shard, dsn, size, watcher
        self._settings = {"application_name": "ledger", "statement_timeout": str(statement_timeout_ms), "jit": "off"}
        self._usable = size
        self._free: list[Any] = []
        self._withheld: list[Any] = []
        self._waiters: deque[asyncio.Future[Any]] = deque()
        self._openers: set[asyncio.Task[None]] = set()
        self.open_count = 0

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    @property
    def free(self) -> int:
        return len(self._free)

    @property
    def withheld(self) -> int:
        return len(self._withheld)

    def bound(self, usable: int) -> None:
        """No more than so many work at once from now on, one at least; the others stay open."""
        self._usable = max(1, min(usable, self._size))
        while self._free and len(self._withheld) < self._size - self._usable:
            self._withheld.append(self._free.pop())
        while len(self._withheld) > self._size - self._usable:
            self._hand_out(self._withheld.pop())

    def start(self) -> None:
        for _ in range(self._size):
            self._open_one()

    async def close(self) -> None:
        for task in self._openers:
            task.cancel()
        await asyncio.gather(*self._openers, return_exceptions=True)
        for connection in (*self._free, *self._withheld):
            with contextlib.suppress(*LOST, asyncio.TimeoutError):
                await connection.close(timeout=1.0)
        self._free.clear()
        self._withheld.clear()

    async def acquire(self, deadline_s: float) -> Any:
        """A connection of the caller's own; give it back with `release`, also after an error."""
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
            self._replace("closed by the server")
        if len(self._waiters) >= WAITERS_MAX:
            raise LedgerAway(f"{WAITERS_MAX} orders wait for a connection to shard {self.shard}")
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(deadline_s):
                return await self._handed(waiter)
        except TimeoutError:
            raise LedgerAway(f"no connection to shard {self.shard} within {deadline_s:.3f} s") from None

    async def _handed(self, waiter: asyncio.Future[Any]) -> Any:
        """May be ended in the very moment of a release: then the connection goes to the next in the queue."""
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self._hand_out(waiter.result())
            elif waiter in self._waiters:  # else a release has passed over it already
                self._waiters.remove(waiter)
            raise

    def release(self, connection: Any, broken: str | None = None) -> None:
        if broken or connection.is_closed():
            connection.terminate()
            self._replace(broken or "closed by the server")
        else:
            self._hand_out(connection)

    def _hand_out(self, connection: Any) -> None:
        if len(self._withheld) < self._size - self._usable:
            self._withheld.append(connection)
            return
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._free.append(connection)

    def _replace(self, error: str) -> None:
        self.open_count -= 1
        self._watcher.lost(self.shard, error)
        self._open_one()

    def _open_one(self) -> None:
        task = asyncio.get_running_loop().create_task(self._open())
        self._openers.add(task)
        task.add_done_callback(self._openers.discard)

    async def _open(self) -> None:
        attempt = 0
        while True:
            try:
                connection = await asyncpg.connect(self.dsn, timeout=CONNECT_DEADLINE_S, server_settings=self._settings)
            except (*LOST, asyncpg.PostgresError, TimeoutError) as error:
                self._watcher.lost(self.shard, f"{type(error).__name__}: {error}")
                await asyncio.sleep(BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)])
                attempt += 1
            else:
                self.open_count += 1
                self._watcher.connected(self.shard)
                self._hand_out(connection)
                return


def for_each_shard(
    dsns: tuple[str, ...], size: int, watcher: Watcher, statement_timeout_ms: int
) -> tuple[Connections, ...]:
    return tuple(Connections(dsn, size, str(n), watcher, statement_timeout_ms) for n, dsn in enumerate(dsns, start=1))
