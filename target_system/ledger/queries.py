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
    """An order as the ledger has it now. `terms`: the command that gave it its present price and quantity."""

    first: dict[str, Any]
    terms: dict[str, Any]
    filled_lots: int
    open_lots: int
    cancelled_lots: int

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


async def find_key(connections: Connections, digest: bytes, deadline_s: float) -> tuple[int, bool] | None:
    """The key's account, and whether it is an operator's."""
    sql = "SELECT account, is_operator FROM api_keys WHERE key_sha256 = $1"
    rows = await fetch(connections, deadline_s, sql, digest)
    return (rows[0]["account"], rows[0]["is_operator"]) if rows else None


REPLACEMENTS = f"SELECT * FROM commands WHERE order_id = $1 AND kind = {pb.REPLACE} AND outcome <> {pb.REJECTED}"
MAKER_TRADES = "SELECT sequence, quantity_lots FROM trades WHERE maker_order_id = $1"
REMOVALS = "SELECT sequence, (removals ->> $1)::bigint AS lots FROM commands WHERE removals ? $1"
CANCELS = "SELECT cancelled_lots FROM commands WHERE account = $1 AND client_order_id = $2"


async def find_order(shards: Sequence[Connections], account: int, order_id: int, deadline_s: float) -> OrderLife | None:
    """This account's order, or None."""

    async def everywhere(sql: str, *arguments: object) -> list[Any]:
        found = await asyncio.gather(*(fetch(shard, deadline_s, sql, *arguments) for shard in shards))
        return [row for rows in found for row in rows]

    sql = "SELECT * FROM commands WHERE sequence = $1 AND account = $2 AND kind = $3"
    firsts, replacements, traded, removals, cancels = await asyncio.gather(
        everywhere(sql, order_id, account, pb.NEW),
        everywhere(REPLACEMENTS, order_id),
        everywhere(MAKER_TRADES, order_id),
        everywhere(REMOVALS, str(order_id)),
        everywhere(CANCELS, account, cancel_identity(order_id)),
    )
    if not firsts:
        return None
    first = dict(firsts[0])
    terms = max((first, *map(dict, replacements)), key=lambda row: int(row["sequence"]))
    later_trades = sum(row["quantity_lots"] for row in traded if row["sequence"] > terms["sequence"])
    later_removals = sum(row["lots"] for row in removals if row["sequence"] > terms["sequence"])
    cancelled = sum(row["cancelled_lots"] for row in cancels)
    return OrderLife(
        first, terms,
        filled_lots=sum(row["filled_lots"] for row in (first, *replacements))
        + sum(row["quantity_lots"] for row in traded),
        open_lots=terms["resting_lots"] - later_trades - later_removals - cancelled,
        cancelled_lots=terms["cancelled_lots"] + sum(row["lots"] for row in removals) + cancelled,
    )  # fmt: skip


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


async def positions_as_of(
    shards: Sequence[Connections], sequence: int, deadline_s: float
) -> dict[tuple[int, str], int] | None:
    """Lots by account and symbol over all trades up to a sequence number; None while the ledger lacks some of them."""
    if await count_recorded(shards, 1, sequence, deadline_s) < sequence:
        return None
    sql = """
        SELECT account, symbol, sum(lots)::bigint FROM (
            SELECT taker_account AS account, symbol, CASE taker_side WHEN 1 THEN quantity_lots ELSE -quantity_lots END
                AS lots FROM trades WHERE sequence <= $1
            UNION ALL
            SELECT maker_account, symbol, CASE taker_side WHEN 1 THEN -quantity_lots ELSE quantity_lots END
                FROM trades WHERE sequence <= $1
        ) AS sides GROUP BY account, symbol
    """
    found = await asyncio.gather(*(fetch(shard, deadline_s, sql, sequence) for shard in shards))
    return {(account, symbol): lots for rows in found for account, symbol, lots in rows}


async def is_recorded(shards: Sequence[Connections], account: int, name: str, deadline_s: float) -> bool:
    """Whether a command of this identity is in the ledger."""
    sql = "SELECT FROM commands WHERE account = $1 AND client_order_id = $2"
    found = await asyncio.gather(*(fetch(shard, deadline_s, sql, account, name) for shard in shards))
    return any(found)


async def count_recorded(shards: Sequence[Connections], first: int, last: int, deadline_s: float) -> int:
    """How many sequence numbers of the range are in the ledger, over all shards."""
    sql = "SELECT count(*) FROM commands WHERE sequence BETWEEN $1 AND $2"
    return sum([(await fetch(shard, deadline_s, sql, first, last))[0][0] for shard in shards])


async def recorded(shards: Sequence[Connections], first: int, last: int, deadline_s: float) -> set[int]:
    """The sequence numbers of the range that are in the ledger, over all shards."""
    sql = "SELECT sequence FROM commands WHERE sequence BETWEEN $1 AND $2"
    return {row[0] for shard in shards for row in await fetch(shard, deadline_s, sql, first, last)}


async def repeated_trades(shards: Sequence[Connections], first: int, last: int, deadline_s: float) -> dict[int, int]:
    """Trade ids that commands of the range made more than once in a shard → the first of these commands."""
    sql = """
        SELECT trade_id, min(sequence) FROM trades WHERE sequence BETWEEN $1 AND $2
        GROUP BY trade_id HAVING count(*) > 1
    """
    return {row[0]: row[1] for shard in shards for row in await fetch(shard, deadline_s, sql, first, last)}


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
