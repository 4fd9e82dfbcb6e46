"""Positions and last books in Redis: a projection of the ledger that may be lost whole at any time.

`position:<account>` is a hash of `<symbol>` (lots) and `<symbol>:cash` (ticks × lots); `book:<symbol>` is the last book
as JSON. The script beside this module applies a sequence number at most once, however often it is told of one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import redis.asyncio
from redis.exceptions import RedisError

from target_system.ledger.rows import Delta, Entry

WATERMARK = "projection:watermark"
BEYOND = "projection:beyond"
encode = msgspec.msgpack.Encoder().encode
SCRIPT = (Path(__file__).parent / "projection.lua").read_text()
REST_S = 0.5
BATCH_MAX = 256

LOST = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Position:
    symbol: str
    lots: int
    cash: int
    """Ticks × lots received minus paid."""


def connect(url: str, password: str | None, deadline_s: float) -> redis.asyncio.Redis:
    return redis.asyncio.Redis.from_url(
        url, password=password, socket_timeout=deadline_s, socket_connect_timeout=deadline_s, max_connections=16
    )


def book_key(symbol: str) -> str:
    return f"book:{symbol}"


def position_key(account: int) -> str:
    return f"position:{account}"


def arguments(commands: Iterable[tuple[int, Sequence[Delta]]]) -> list[bytes]:
    """The script's ARGV for these sequence numbers and their deltas: one argument, which costs a sixth of many."""
    flat: list[int | str] = []
    for sequence, deltas in commands:
        flat += (sequence, len(deltas))
        for account, symbol, lots, cash in deltas:
            flat += (
                str(account),
                symbol,
                str(lots),
                str(cash),
            )  # Lua's numbers are floats, these need not be exact in one
    return [encode(flat)]


def positions_from(fields: dict[bytes, bytes]) -> list[Position]:
    names = sorted(name.decode() for name in fields if not name.endswith(b":cash"))
    return [Position(name, int(fields[name.encode()]), int(fields.get(f"{name}:cash".encode(), 0))) for name in names]


class Projection:
    """Applies entries through one script call at a time; entries that come meanwhile go together in the next call.

    Two calls keep a small distance, for the same reason as messages to the engine do.
    After an error or a missed deadline it rests: entries are skipped for a while instead of each waiting in vain.
    """

    def __init__(
        self, client: redis.asyncio.Redis, deadline_s: float, gather_s: float, on_batch: Callable[[int], None],
        on_state: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._apply_script = client.register_script(SCRIPT)
        self._deadline_s, self._gather_s, self._on_batch, self._on_state = deadline_s, gather_s, on_batch, on_state
        self._waiting: list[tuple[Entry, asyncio.Future[bool]]] = []
        self._sender: asyncio.Task[None] | None = None
        self._rests_until = 0.0
        self._away = False

    async def apply(self, entry: Entry) -> bool:
        """Whether Redis has it. False after the deadline or while Redis is away: the settler sees to it."""
        if time.monotonic() < self._rests_until:
            return False
        loop = asyncio.get_running_loop()
        applied: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((entry, applied))
        if self._sender is None:
            self._sender = loop.create_task(self._send())
        return await applied

    async def _send(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
            self._on_batch(len(batch))
            done = await self._call([entry for entry, _ in batch])
            for _, applied in batch:
                if not applied.done():
                    applied.set_result(done)
            await asyncio.sleep(self._gather_s)
        self._sender = None

    async def _call(self, batch: list[Entry]) -> bool:
        if time.monotonic() < self._rests_until:
            return False
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._apply_script((WATERMARK, BEYOND), arguments((e.sequence, e.deltas) for e in batch))
        except LOST as error:
            self._rests_until = time.monotonic() + REST_S
            self._away = True
            self._on_state(f"{type(error).__name__}: {error}")
            return False
        if self._away:
            self._away = False
            self._on_state("")
        return True
