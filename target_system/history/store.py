"""The history's tables: a trade is written once and counted once in its candles, whoever brings it how often."""

from __future__ import annotations

from typing import NamedTuple

from target_system.ledger.connections import Connections
from target_system.ledger.queries import fetch
from target_system.trade_stream import Trade

CANDLES_S = (1, 60)


class Mark(NamedTuple):
    """A trade, and the command that it is of; zeros stand before the first."""

    trade_id: int = 0
    sequence: int = 0


WRITE = """
    WITH given AS (
        SELECT * FROM unnest(
            $1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::smallint[], $7::bigint[]
        ) AS given (trade_id, sequence, symbol, price_ticks, quantity_lots, taker_side, time_ns)
    ), fresh AS (
        INSERT INTO history.trades SELECT * FROM given ORDER BY trade_id ON CONFLICT DO NOTHING RETURNING *
    ), candles AS (
        INSERT INTO history.candles AS kept
        SELECT symbol, width_s, time_ns / 1000000000 / width_s * width_s,
            (array_agg(price_ticks ORDER BY trade_id))[1], max(price_ticks), min(price_ticks),
            (array_agg(price_ticks ORDER BY trade_id DESC))[1], sum(quantity_lots), count(*),
            min(trade_id), max(trade_id)
        FROM fresh, unnest($8::integer[]) AS width_s GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (symbol, width_s, start_s) DO UPDATE SET
            open_ticks = CASE WHEN excluded.first_trade_id < kept.first_trade_id
                THEN excluded.open_ticks ELSE kept.open_ticks END,
            high_ticks = greatest(kept.high_ticks, excluded.high_ticks),
            low_ticks = least(kept.low_ticks, excluded.low_ticks),
            close_ticks = CASE WHEN excluded.last_trade_id > kept.last_trade_id
                THEN excluded.close_ticks ELSE kept.close_ticks END,
            quantity_lots = kept.quantity_lots + excluded.quantity_lots,
            trades = kept.trades + excluded.trades,
            first_trade_id = least(kept.first_trade_id, excluded.first_trade_id),
            last_trade_id = greatest(kept.last_trade_id, excluded.last_trade_id)
    )
    SELECT count(*) FROM fresh
"""

NEXT_GAP = """
    SELECT trade_id, sequence FROM history.trades AS kept
    WHERE trade_id >= $1 AND EXISTS (SELECT FROM history.trades WHERE trade_id = greatest($1, 1))
        AND NOT EXISTS (SELECT FROM history.trades AS next WHERE next.trade_id = kept.trade_id + 1)
    ORDER BY trade_id LIMIT 1
"""

LEDGER = """
    SELECT trade_id, sequence, t.symbol, t.price_ticks, t.quantity_lots, taker_side, received_ns AS time_ns
    FROM trades AS t JOIN commands AS c USING (sequence) WHERE sequence >= $1 ORDER BY sequence, trade_id LIMIT $2
"""


async def write(store: Connections, trades: list[Trade], deadline_s: float) -> int:
    """In one transaction; how many were new. Raises LedgerAway: then they are written whole or not at all."""
    columns = [list(column) for column in zip(*trades, strict=True)]
    rows = await fetch(store, deadline_s, WRITE, *columns, list(CANDLES_S))
    return int(rows[0][0])


async def complete_until(store: Connections, known: Mark, deadline_s: float) -> Mark:
    """The trade up to which none is missing, from `known` on, up to which none is."""
    rows = await fetch(store, deadline_s, NEXT_GAP, known.trade_id)
    return Mark(*rows[0]) if rows else known


async def last_trade_id(store: Connections, deadline_s: float) -> int:
    return int((await fetch(store, deadline_s, "SELECT coalesce(max(trade_id), 0) FROM history.trades"))[0][0])


async def trades_in(ledger: Connections, first_sequence: int, count: int, deadline_s: float) -> list[Trade]:
    """A shard's trades from that command on."""
    return [Trade(*row) for row in await fetch(ledger, deadline_s, LEDGER, first_sequence, count)]
