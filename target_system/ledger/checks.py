"""What must hold between the witnesses, as SQL over the tables of `witnesses`: each check selects contradictions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import duckdb

from target_system.ledger.rows import COMMAND_COLUMNS, TRADE_COLUMNS


class Kind(StrEnum):
    LOST = "lost"
    DUPLICATED = "duplicated"
    HOLE = "hole"
    MISMATCHED = "mismatched"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Difference:
    """One contradiction: where it is, and what the witnesses say there."""

    kind: Kind
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Check:
    """`sql` yields two columns, where and what, a row for each contradiction."""

    kind: Kind
    sql: str


LOST = """
    SELECT 'account ' || a.account || ', client order id ' || a.client_order_id,
        'acknowledged as sequence ' || a.sequence || ', not in the ledger'
    FROM acks a ANTI JOIN ledger_commands l USING (account, client_order_id) WHERE a.is_acknowledged
"""
OTHERWISE = """
    SELECT 'account ' || a.account || ', client order id ' || a.client_order_id,
        'told sequence ' || a.sequence || ', order ' || a.order_id || '; the ledger has sequence ' || l.sequence
        || ', order ' || l.order_id
    FROM acks a JOIN ledger_commands l USING (account, client_order_id)
    WHERE a.is_acknowledged AND (a.sequence <> l.sequence OR a.order_id <> l.order_id)
"""
DENIED = """
    SELECT 'account ' || account || ', client order id ' || client_order_id,
        'told that nothing was done; in the ledger as sequence ' || sequence
    FROM ledger_commands SEMI JOIN (
        SELECT account, client_order_id FROM acks GROUP BY ALL HAVING NOT bool_or(is_acknowledged OR is_in_doubt)
    ) USING (account, client_order_id)
"""
TWICE = """
    SELECT 'account ' || account || ', client order id ' || client_order_id,
        count(*) || ' commands in the ledger: sequences ' || string_agg(sequence, ', ' ORDER BY sequence)
    FROM ledger_commands GROUP BY account, client_order_id HAVING count(*) > 1
    UNION ALL
    SELECT 'sequence ' || sequence, 'in the ledger ' || count(*) || ' times, in shards '
        || string_agg(shard, ', ' ORDER BY shard)
    FROM ledger_commands GROUP BY sequence HAVING count(*) > 1
    UNION ALL
    SELECT 'trade ' || trade_id, 'in the ledger ' || count(*) || ' times'
    FROM ledger_trades GROUP BY trade_id HAVING count(*) > 1
    UNION ALL
    SELECT 'account ' || account || ', client order id ' || client_order_id,
        'acknowledged with sequences ' || string_agg(DISTINCT sequence, ', ')
    FROM acks WHERE is_acknowledged GROUP BY account, client_order_id HAVING count(DISTINCT sequence) > 1
"""


def holes(table: str, column: str, name: str) -> str:
    """The numbers from 1 to the last that any witness knows and this table lacks."""
    return f"""
        SELECT 'ledger', '{name} ' || n || ' is missing' FROM (
            SELECT unnest(range(1, 1 + greatest(
                (SELECT coalesce(max({column}), 0) FROM ledger_{table}),
                (SELECT coalesce(max({column}), 0) FROM replayed_{table})
            ))) AS n
        ) ANTI JOIN ledger_{table} ON {column} = n
    """


def unlike(table: str, key: str, column: str) -> str:
    """Rows of ledger and replay that differ in one column."""
    return f"""
        SELECT '{key} ' || l.{key}, '{column}: ledger ' || coalesce(l.{column}::VARCHAR, 'nothing') || ', replay '
            || coalesce(r.{column}::VARCHAR, 'nothing')
        FROM ledger_{table} l JOIN replayed_{table} r USING ({key}) WHERE l.{column} IS DISTINCT FROM r.{column}
    """


def unreplayed(table: str, key: str) -> str:
    return f"""
        SELECT '{key} ' || {key}, 'in the ledger, not in the replayed journal'
        FROM ledger_{table} ANTI JOIN replayed_{table} USING ({key})
    """


SIDES = """
    WITH firsts AS (
        SELECT c.*, EXISTS (
            FROM ledger_commands r WHERE r.kind = 'replace' AND r.order_id = c.sequence AND r.outcome <> 'rejected'
        ) AS replaced
        FROM ledger_commands c WHERE kind = 'new'
    ), sided AS (
        SELECT t.*, taker.side AS taker_order_side, maker.side AS maker_order_side,
            taker.account AS taker_order_account, maker.account AS maker_order_account,
            taker.symbol AS taker_symbol, maker.symbol AS maker_symbol,
            CASE WHEN taker.order_type <> 'market' AND NOT taker.replaced THEN taker.price_ticks END AS taker_limit,
            CASE WHEN NOT maker.replaced AND maker.order_type <> 'post_only_slide' THEN maker.price_ticks END
                AS maker_limit
        FROM ledger_trades t
        LEFT JOIN firsts taker ON taker.sequence = t.taker_order_id
        LEFT JOIN firsts maker ON maker.sequence = t.maker_order_id
    )
    SELECT 'trade ' || trade_id, CASE
        WHEN taker_order_side IS NULL THEN 'its taker, order ' || taker_order_id || ', is not in the ledger'
        WHEN maker_order_side IS NULL THEN 'its maker, order ' || maker_order_id || ', is not in the ledger'
        WHEN taker_order_side = maker_order_side THEN 'both its orders ' || taker_order_side
        WHEN taker_account <> taker_order_account THEN 'taker account ' || taker_account || ', order: '
            || taker_order_account
        WHEN maker_account <> maker_order_account THEN 'maker account ' || maker_account || ', order: '
            || maker_order_account
        WHEN symbol <> taker_symbol OR symbol <> maker_symbol THEN 'in ' || symbol || ', its orders in '
            || taker_symbol || ' and ' || maker_symbol
        WHEN price_ticks <> maker_limit THEN 'at ' || price_ticks || ', its maker rests at ' || maker_limit
        WHEN taker_order_side = 'buy' AND price_ticks > taker_limit
          OR taker_order_side = 'sell' AND price_ticks < taker_limit
            THEN 'at ' || price_ticks || ', beyond its taker''s limit of ' || taker_limit
        END AS what
    FROM sided WHERE what IS NOT NULL
    UNION ALL
    SELECT 'order ' || order_id, 'filled ' || filled || ' of ' || quantity_lots || ' lots' FROM (
        SELECT f.sequence AS order_id, quantity_lots, (
            SELECT coalesce(sum(t.quantity_lots), 0) FROM (
                SELECT taker_order_id AS id, quantity_lots FROM ledger_trades
                UNION ALL SELECT maker_order_id, quantity_lots FROM ledger_trades
            ) t WHERE t.id = f.sequence
        ) AS filled FROM firsts f WHERE NOT replaced
    ) WHERE filled > quantity_lots
"""
POSITIONS = """
    WITH sides AS (
        SELECT taker_account AS account, symbol, price_ticks,
            CASE taker_side WHEN 1 THEN quantity_lots ELSE -quantity_lots END AS lots FROM ledger_trades
        UNION ALL
        SELECT maker_account, symbol, price_ticks,
            CASE taker_side WHEN 1 THEN -quantity_lots ELSE quantity_lots END FROM ledger_trades
    ), due AS (
        SELECT account, symbol, sum(lots)::BIGINT AS lots, sum(-lots * price_ticks)::BIGINT AS cash
        FROM sides GROUP BY ALL
    )
    SELECT 'account ' || coalesce(d.account, r.account) || ', ' || coalesce(d.symbol, r.symbol),
        'trades give ' || coalesce(d.lots, 0) || ' lots, cash ' || coalesce(d.cash, 0) || '; Redis has '
        || coalesce(r.lots, 0) || ' lots, cash ' || coalesce(r.cash, 0)
    FROM due d FULL JOIN redis_positions r ON d.account = r.account AND d.symbol = r.symbol
    WHERE coalesce(d.lots, 0) <> coalesce(r.lots, 0) OR coalesce(d.cash, 0) <> coalesce(r.cash, 0)
"""
BOOKS = """
    SELECT 'book, place ' || coalesce(l.position, r.position),
        'live ' || coalesce(l.order_id || ' (' || l.symbol || ' ' || l.side || ' ' || l.quantity_lots || ' @ '
            || l.price_ticks || ')', 'nothing')
        || ', replayed ' || coalesce(r.order_id || ' (' || r.symbol || ' ' || r.side || ' ' || r.quantity_lots
            || ' @ ' || r.price_ticks || ')', 'nothing')
    FROM live_orders l FULL JOIN replayed_orders r ON l.position = r.position
    WHERE l.order_id IS DISTINCT FROM r.order_id OR l.account <> r.account OR l.symbol <> r.symbol
        OR l.side <> r.side OR l.price_ticks <> r.price_ticks OR l.quantity_lots <> r.quantity_lots
"""


def checks() -> Iterator[Check]:
    yield Check(Kind.LOST, LOST)
    yield Check(Kind.DUPLICATED, TWICE)
    yield Check(Kind.HOLE, holes("commands", "sequence", "sequence"))
    yield Check(Kind.HOLE, holes("trades", "trade_id", "trade"))
    yield Check(Kind.MISMATCHED, OTHERWISE)
    yield Check(Kind.MISMATCHED, DENIED)
    yield Check(Kind.MISMATCHED, unreplayed("commands", "sequence"))
    yield Check(Kind.MISMATCHED, unreplayed("trades", "trade_id"))
    for column in COMMAND_COLUMNS[1:]:
        yield Check(Kind.MISMATCHED, unlike("commands", "sequence", column))
    for column in ("sequence", *TRADE_COLUMNS[1:]):
        yield Check(Kind.MISMATCHED, unlike("trades", "trade_id", column))
    yield Check(Kind.MISMATCHED, SIDES)
    yield Check(Kind.MISMATCHED, POSITIONS)
    yield Check(Kind.MISMATCHED, BOOKS)


def contradictions(db: duckdb.DuckDBPyConnection, check: Check, listed_max: int) -> tuple[int, list[Difference]]:
    """How many there are, and the first of them."""
    db.execute(f"CREATE OR REPLACE TEMP TABLE found AS {check.sql}")
    (count,) = db.execute("SELECT count(*) FROM found").fetchall()[0]
    rows = db.execute(f"SELECT * FROM found LIMIT {listed_max}").fetchall() if count else []
    return count, [Difference(check.kind, str(where), str(what)) for where, what in rows]
