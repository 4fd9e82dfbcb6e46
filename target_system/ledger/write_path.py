"""How entries get into the ledger: `PerOrder`, one commit an order, the plainest durable way; `Group`, many a commit.

Both give the same promise: `record` returns after the entry's own commit.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import asyncpg

from target_system.ledger.connections import LOST, Connections, LedgerAway
from target_system.ledger.rows import COMMAND_COLUMNS, TRADE_COLUMNS, Entry

TRADE_TYPES = ("bigint",) * 5 + ("integer",) * 2 + ("smallint", "text")
COMMAND_TYPES = ("bigint",) * 8 + ("integer",) + ("smallint",) * 7 + ("text", "text", "jsonb")
GROUP_MAX = 128
LANES = 2
"""Statements of a group under way at once: while one waits for its sync the next one is filled."""
SCALARS_MAX = 4
"""Up to so many trades go in as plain values; nine arrays cost client and server more than that."""


def _parameters(first: int, count: int) -> list[str]:
    return [f"${n}" for n in range(first, first + count)]


def _insert_command() -> str:
    columns = ", ".join(COMMAND_COLUMNS)
    values = ", ".join(_parameters(1, len(COMMAND_COLUMNS)))
    return f"INSERT INTO commands ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING"


def _insert_with(trades: str) -> str:
    columns = ", ".join(TRADE_COLUMNS)
    return (
        f"WITH recorded AS ({_insert_command()} RETURNING sequence) "
        f"INSERT INTO trades (sequence, {columns}) "
        f"SELECT recorded.sequence, t.* FROM recorded, {trades} AS t ({columns})"
    )


def _insert_with_values(count: int) -> str:
    width = len(TRADE_COLUMNS)
    rows = []
    for n in range(count):
        given = _parameters(len(COMMAND_COLUMNS) + 1 + n * width, width)
        rows.append("(" + ", ".join(f"{p}::{kind}" for p, kind in zip(given, TRADE_TYPES, strict=True)) + ")")
    return _insert_with(f"(VALUES {', '.join(rows)})")


def _insert_with_arrays() -> str:
    given = _parameters(len(COMMAND_COLUMNS) + 1, len(TRADE_COLUMNS))
    return _insert_with(f"unnest({', '.join(f'{p}::{k}[]' for p, k in zip(given, TRADE_TYPES, strict=True))})")


INSERT = (_insert_command(), *(_insert_with_values(count) for count in range(1, SCALARS_MAX + 1)))
"""By the number of trades."""
INSERT_WITH_ARRAYS = _insert_with_arrays()
"""The trades go in only with a new command row: repeating the statement adds nothing.

The conflict clause names no index on purpose. Two writers of one row at once (a gateway and the settler) meet in both
unique indexes, and an index that the clause does not name raises instead of skipping.
"""


def statement(entry: Entry) -> tuple[str, tuple[object, ...]]:
    trades = entry.trades
    if len(trades) <= SCALARS_MAX:
        return INSERT[len(trades)], entry.row + tuple(chain.from_iterable(trades))
    return INSERT_WITH_ARRAYS, (*entry.row, *zip(*trades, strict=True))


def _insert_group() -> str:
    """Arrays of all columns of all commands, then of all trades, each trade with its sequence number in front."""
    commands = [f"{p}::{k}[]" for p, k in zip(_parameters(1, len(COMMAND_TYPES)), COMMAND_TYPES, strict=True)]
    trade_types = ("bigint", *TRADE_TYPES)
    trades = [
        f"{p}::{k}[]" for p, k in zip(_parameters(len(COMMAND_TYPES) + 1, len(trade_types)), trade_types, strict=True)
    ]
    columns = ", ".join(COMMAND_COLUMNS)
    trade_columns = ", ".join(("sequence", *TRADE_COLUMNS))
    return (
        f"WITH recorded AS (INSERT INTO commands ({columns}) SELECT * FROM unnest({', '.join(commands)}) "
        "ON CONFLICT DO NOTHING RETURNING sequence) "
        f"INSERT INTO trades ({trade_columns}) "
        f"SELECT t.* FROM unnest({', '.join(trades)}) AS t ({trade_columns}) JOIN recorded USING (sequence)"
    )


INSERT_GROUP = _insert_group()


def group_statement(entries: Iterable[Entry]) -> tuple[str, tuple[object, ...]]:
    """A command and its repeat are one entry: the command's own conflict clause would not keep its trades from coming
    twice."""
    entries = {entry.sequence: entry for entry in entries}.values()
    commands = zip(*(entry.row for entry in entries), strict=True)
    trades = [(entry.sequence, *trade) for entry in entries for trade in entry.trades]
    columns = zip(*trades, strict=True) if trades else ((),) * (len(TRADE_TYPES) + 1)
    return INSERT_GROUP, (*commands, *columns)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry, what its caller waits for, since when and until when (monotonic)."""

    entry: Entry
    done: asyncio.Future[int]
    since_ns: int
    until_s: float


class WritePath(Protocol):
    async def record(self, entry: Entry) -> int:
        """Return when the entry is committed: the nanoseconds that it waited before a connection took it. LedgerAway:
        it may or may not be committed; recording it again is safe."""


class PerOrder:
    """One commit an order."""

    def __init__(self, shards: Sequence[Connections], deadline_s: float, on_retry: Callable[[], None]) -> None:
        self._shards, self._deadline_s, self._on_retry = shards, deadline_s, on_retry

    async def record(self, entry: Entry) -> int:
        until = time.monotonic() + self._deadline_s
        return await commit(self._shards[entry.shard], *statement(entry), until, self._on_retry)


class Group:
    """Many orders a commit, each answered only after its own. A shard has LANES statements under way at most; what
    comes meanwhile goes together in the next one, so nothing waits for company and the delay is one commit."""

    def __init__(self, shards: Sequence[Connections], deadline_s: float, on_retry: Callable[[], None]) -> None:
        self._shards, self._deadline_s, self._on_retry = shards, deadline_s, on_retry
        self._waiting: list[deque[Waiting]] = [deque() for _ in shards]
        self._lanes: list[set[asyncio.Task[None]]] = [set() for _ in shards]

    async def record(self, entry: Entry) -> int:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[int] = loop.create_future()
        now_ns = time.monotonic_ns()
        self._waiting[entry.shard].append(Waiting(entry, done, now_ns, now_ns / 1e9 + self._deadline_s))
        lanes = self._lanes[entry.shard]
        if len(lanes) < LANES:
            lane = loop.create_task(self._drain(entry.shard))
            lanes.add(lane)
            lane.add_done_callback(lanes.discard)
        return await done

    async def _drain(self, shard: int) -> None:
        waiting = self._waiting[shard]
        while waiting:
            batch = [waiting.popleft() for _ in range(min(len(waiting), GROUP_MAX))]
            taken_ns = time.monotonic_ns()
            sql, arguments = group_statement(each.entry for each in batch)
            try:
                waited_ns = await commit(self._shards[shard], sql, arguments, batch[0].until_s, self._on_retry)
            except LedgerAway as error:
                for each in batch:
                    if not each.done.done():
                        each.done.set_exception(LedgerAway(str(error)))
            else:
                for each in batch:
                    if not each.done.done():
                        each.done.set_result(taken_ns - each.since_ns + waited_ns)


async def commit(
    connections: Connections, sql: str, arguments: tuple[object, ...], until: float, on_retry: Callable[[], None]
) -> int:
    """Execute one statement, which commits by itself: nanoseconds that it waited for its connections. After a lost
    connection it is repeated without asking what became of the first time: its conflict clause is the question.
    Raises LedgerAway."""
    waited_ns = 0
    while True:
        asked_ns = time.monotonic_ns()
        connection = await connections.acquire(until - asked_ns / 1e9)
        waited_ns += time.monotonic_ns() - asked_ns
        broken = "abandoned"
        try:
            await connection.execute(sql, *arguments, timeout=max(0.001, until - time.monotonic()))
            broken = ""
            return waited_ns
        except TimeoutError:
            raise LedgerAway("no commit within the deadline") from None
        except LOST as error:
            broken = f"{type(error).__name__}: {error}"
            if time.monotonic() >= until:
                raise LedgerAway(broken) from error
            on_retry()
        except asyncpg.PostgresError as error:  # a full disk, a statement timeout: repeating it now would not help
            broken = f"{type(error).__name__}: {error}"
            raise LedgerAway(broken) from error
        finally:
            connections.release(connection, broken)
