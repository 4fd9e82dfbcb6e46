"""How an entry gets into the ledger. `PerOrder`: one statement and one commit an order, the plainest durable way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import asyncpg

from target_system.ledger.connections import LOST, Connections, LedgerAway
from target_system.ledger.rows import COMMAND_COLUMNS, TRADE_COLUMNS, Entry

TRADE_TYPES = ("bigint",) * 5 + ("integer",) * 2 + ("smallint", "text")


def _insert_command() -> str:
    columns = ", ".join(COMMAND_COLUMNS)
    values = ", ".join(f"${n}" for n in range(1, len(COMMAND_COLUMNS) + 1))
    return f"INSERT INTO commands ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING"


def _insert_with_trades() -> str:
    columns = ", ".join(TRADE_COLUMNS)
    first = len(COMMAND_COLUMNS) + 1
    arrays = ", ".join(f"${first + n}::{kind}[]" for n, kind in enumerate(TRADE_TYPES))
    return (
        f"WITH recorded AS ({_insert_command()} RETURNING sequence) "
        f"INSERT INTO trades (sequence, {columns}) "
        f"SELECT recorded.sequence, t.* FROM recorded, unnest({arrays}) AS t ({columns})"
    )


INSERT_COMMAND = _insert_command()
INSERT_WITH_TRADES = _insert_with_trades()
"""The trades go in only with a new command row: repeating the statement adds nothing.

The conflict clause names no index on purpose. Two writers of one row at once (a gateway and the settler) meet in both
unique indexes, and an index that the clause does not name raises instead of skipping.
"""


def statement(entry: Entry) -> tuple[str, tuple[object, ...]]:
    if not entry.trades:
        return INSERT_COMMAND, entry.row
    return INSERT_WITH_TRADES, (*entry.row, *zip(*entry.trades, strict=True))


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
