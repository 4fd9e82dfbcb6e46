"""How an entry gets into the ledger. `PerOrder`: one statement and one commit an order, the plainest durable way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Protocol

import asyncpg

from target_system.ledger.connections import LOST, Connections, LedgerAway
from target_system.ledger.rows import COMMAND_COLUMNS, TRADE_COLUMNS, Entry

TRADE_TYPES = ("bigint",) * 5 + ("integer",) * 2 + ("smallint", "text")
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


class WritePath(Protocol):
    async def record(self, entry: Entry) -> None:
        """Return when the entry is committed. LedgerAway: it may or may not be; recording it again is safe."""


class PerOrder:
    """One commit an order. After a lost connection the insert is repeated: the conflict clause is the question."""

    def __init__(self, shards: Sequence[Connections], deadline_s: float, on_retry: Callable[[], None]) -> None:
        self._shards, self._deadline_s, self._on_retry = shards, deadline_s, on_retry

    async def record(self, entry: Entry) -> None:
        sql, arguments = statement(entry)
        connections = self._shards[entry.shard]
        until = time.monotonic() + self._deadline_s
        while True:
            connection = await connections.acquire(until - time.monotonic())
            broken = "abandoned"
            try:
                await connection.execute(sql, *arguments, timeout=max(0.001, until - time.monotonic()))
                broken = ""
                return
            except TimeoutError:
                raise LedgerAway(f"no commit within {self._deadline_s:.3f} s") from None
            except (*LOST, asyncpg.QueryCanceledError) as error:
                broken = f"{type(error).__name__}: {error}"
                if time.monotonic() >= until:
                    raise LedgerAway(broken) from error
                self._on_retry()
            finally:
                connections.release(connection, broken)
