"""Is the history what the ledger says? Every trade exactly once, and candles that are the sums of their trades."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg

POLL_S = 0.1
SHOWN_MAX = 5
LEDGER = """
    SELECT trade_id, sequence, t.symbol, t.price_ticks, t.quantity_lots, taker_side, received_ns
    FROM trades AS t JOIN commands USING (sequence)
"""
HISTORY = "SELECT trade_id, sequence, symbol, price_ticks, quantity_lots, taker_side, time_ns FROM history.trades"
CANDLES = """
    WITH summed AS (
        SELECT symbol, width_s, time_ns / 1000000000 / width_s * width_s AS start_s,
            (array_agg(price_ticks ORDER BY trade_id))[1], max(price_ticks), min(price_ticks),
            (array_agg(price_ticks ORDER BY trade_id DESC))[1], sum(quantity_lots), count(*),
            min(trade_id), max(trade_id)
        FROM history.trades, (SELECT DISTINCT width_s FROM history.candles) AS widths GROUP BY 1, 2, 3
    )
    SELECT symbol, width_s, start_s FROM (
        (TABLE summed EXCEPT TABLE history.candles) UNION (TABLE history.candles EXCEPT TABLE summed)
    ) AS different ORDER BY 1, 2, 3
"""

Row = tuple[Any, ...]


def differences(ledger_dsns: Sequence[str], deadline_s: float) -> list[str]:
    """What is not as it should be, once the history has as many trades as the ledgers, or at the deadline."""
    until = time.monotonic() + deadline_s
    expected = {row[0]: row for dsn in ledger_dsns for row in rows_of(dsn, LEDGER)}
    while rows_of(ledger_dsns[0], "SELECT count(*) FROM history.trades")[0][0] != len(expected):
        if time.monotonic() > until:
            break
        time.sleep(POLL_S)
    found = {row[0]: row for row in rows_of(ledger_dsns[0], HISTORY)}
    wrong = sorted(number for number in expected.keys() | found.keys() if expected.get(number) != found.get(number))
    said = [f"history: trade {n}: ledger {expected.get(n)}, history {found.get(n)}" for n in wrong[:SHOWN_MAX]]
    if len(wrong) > SHOWN_MAX:
        said.append(f"history: {len(wrong)} trades differ in all, of {len(expected)}")
    candles = rows_of(ledger_dsns[0], CANDLES)
    return said + [f"history: candle {candle} is not the sum of its trades" for candle in candles[:SHOWN_MAX]]


def rows_of(dsn: str, sql: LiteralString) -> list[Row]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(sql).fetchall()
