"""What the gateway reads from the ledger: keys, one order's life, an account's positions, rows of a range."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from target_system.ledger.connections import LOST, Connections, LedgerAway
from target_system.ledger.projection import Position
from target_system.ledger.rows import Delta
from target_system.orders import cancel_identity
from target_system.proto import engine_pb2 as pb


@dataclass(frozen=True, slots=True)
class OrderLife:
    """An order as the ledger has it now; `cancelled_lots` by its own command or by a later cancel."""

    first: dict[str, Any]
    filled_lots: int
    cancelled_lots: int

    @property
    def open_lots(self) -> int:
        return int(self.first["quantity_lots"]) - self.filled_lots - self.cancelled_lots

    @property
    def status(self) -> str:
        if self.first["outcome"] == pb.REJECTED:
            return "rejected"
        if self.open_lots > 0:
            return "open"
        return "cancelled" if self.cancelled_lots else "filled"


async def fetch(connections: Connections, deadline_s: float, sql: str, *arguments: object) -> list[Any]:
    """Rows of one query. Raises LedgerAway after the deadline or if the connection breaks."""
    connection = await connections.acquire(deadline_s)
    broken = "abandoned"
    try:
        rows: list[Any] = await connection.fetch(sql, *arguments, timeout=deadline_s)
        broken = ""
    except (*LOST, asyncpg.PostgresError, TimeoutError) as error:
        raise LedgerAway(f"{type(error).__name__}: {error}") from error
    finally:
        connections.release(connection, broken)
    return rows


def key_hash(key: bytes) -> bytes:
    """A key is 256 random bits, so one round is enough; a slow hash protects passwords that people choose."""
    return hashlib.sha256(key).digest()


async def find_key(connections: Connections, digest: bytes, deadline_s: float) -> int | None:
    rows = await fetch(connections, deadline_s, "SELECT account FROM api_keys WHERE key_sha256 = $1", digest)
    return rows[0]["account"] if rows else None


async def find_order(
    shards: Sequence[Connections], cancels: Connections, account: int, order_id: int, deadline_s: float
) -> OrderLife | None:
    """This account's order, or None. `cancels` is the shard that keeps the cancels of this order."""
    sql = """
        SELECT c.*, (
            SELECT coalesce(sum(quantity_lots), 0)::bigint FROM trades WHERE maker_order_id = c.sequence
        ) AS later
        FROM commands c WHERE sequence = $1 AND account = $2 AND kind = $3
    """
    found = await asyncio.gather(*(fetch(shard, deadline_s, sql, order_id, account, pb.NEW) for shard in shards))
    rows = [row for some in found for row in some]
    if not rows:
        return None
    first = dict(rows[0])
    sql = "SELECT cancelled_lots FROM commands WHERE account = $1 AND client_order_id = $2"
    cancel = await fetch(cancels, deadline_s, sql, account, cancel_identity(order_id))
    cancelled = first["cancelled_lots"] + sum(row["cancelled_lots"] for row in cancel)
    return OrderLife(first, first["filled_lots"] + first.pop("later"), cancelled)


async def positions(shards: Sequence[Connections], account: int, deadline_s: float) -> list[Position]:
    """Sums over the trades of the account. Reads all of them: for when Redis is away."""
    sql = """
        SELECT symbol, sum(lots)::bigint AS lots, sum(-lots * price_ticks)::bigint AS cash FROM (
            SELECT symbol, price_ticks, CASE taker_side WHEN 1 THEN quantity_lots ELSE -quantity_lots END AS lots
            FROM trades WHERE taker_account = $1
            UNION ALL
            SELECT symbol, price_ticks, CASE taker_side WHEN 1 THEN -quantity_lots ELSE quantity_lots END
            FROM trades WHERE maker_account = $1
        ) AS sides GROUP BY symbol
    """
    found = await asyncio.gather(*(fetch(shard, deadline_s, sql, account) for shard in shards))
    rows = [row for some in found for row in some]
    return sorted((Position(row["symbol"], row["lots"], row["cash"]) for row in rows), key=lambda p: p.symbol)


async def count_recorded(shards: Sequence[Connections], first: int, last: int, deadline_s: float) -> int:
    """How many sequence numbers of the range are in the ledger, over all shards."""
    sql = "SELECT count(*) FROM commands WHERE sequence BETWEEN $1 AND $2"
    return sum([(await fetch(shard, deadline_s, sql, first, last))[0][0] for shard in shards])


async def recorded(shards: Sequence[Connections], first: int, last: int, deadline_s: float) -> set[int]:
    """The sequence numbers of the range that are in the ledger, over all shards."""
    sql = "SELECT sequence FROM commands WHERE sequence BETWEEN $1 AND $2"
    return {row[0] for shard in shards for row in await fetch(shard, deadline_s, sql, first, last)}


async def traded(shards: Sequence[Connections], first: int, last: int, deadline_s: float) -> list[tuple[int, Delta]]:
    """What the trades of the range add to positions: for each trade its sequence number with the two sides' deltas."""
    sql = """
        SELECT sequence, taker_account, maker_account, taker_side, symbol, price_ticks, quantity_lots
        FROM trades WHERE sequence BETWEEN $1 AND $2
    """
    found: list[tuple[int, Delta]] = []
    for shard in shards:
        for sequence, taker, maker, side, symbol, price, lots in await fetch(shard, deadline_s, sql, first, last):
            bought = lots if side == pb.BUY else -lots
            found.append((sequence, (taker, symbol, bought, -bought * price)))
            found.append((sequence, (maker, symbol, -bought, bought * price)))
    return found
