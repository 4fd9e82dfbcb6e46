"""Trades and candles from the history: newest first, a page at a time. An empty page where there is no history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from target_system.gateway import replies
from target_system.gateway.replies import Reply
from target_system.ledger.connections import Connections, LedgerAway
from target_system.ledger.queries import fetch
from target_system.ledger.rows import Symbols
from target_system.proto import engine_pb2 as pb

WIDTHS_S = {"1s": 1, "1m": 60}
TRADES = """
    SELECT trade_id, sequence, price_ticks, quantity_lots, taker_side, time_ns FROM history.trades
    WHERE symbol = $1 AND trade_id < $2 ORDER BY trade_id DESC LIMIT $3
"""
CANDLES = """
    SELECT start_s, open_ticks, high_ticks, low_ticks, close_ticks, quantity_lots, trades FROM history.candles
    WHERE symbol = $1 AND width_s = $2 AND start_s < $3 ORDER BY start_s DESC LIMIT $4
"""


class HistoryReads:
    def __init__(self, shard: Connections, symbols: Symbols, deadline_s: float) -> None:
        """`shard` is the one that keeps the history."""
        self._shard, self._symbols, self._deadline_s = shard, symbols, deadline_s

    async def trades(self, symbol: str, before: int, limit: int) -> Reply:
        return await self._read(symbol, "trades", TRADES, before, limit)

    async def candles(self, symbol: str, width: str, before_s: int, limit: int) -> Reply:
        return await self._read(symbol, "candles", CANDLES, WIDTHS_S[width], before_s, limit)

    async def _read(self, symbol: str, name: str, sql: str, *arguments: int) -> Reply:
        if symbol not in self._symbols.indices:
            return replies.not_found(f"no symbol {symbol} here")
        try:
            rows = await fetch(self._shard, self._deadline_s, sql, symbol, *arguments)
        except LedgerAway as error:
            return replies.unavailable("ledger-away", str(error))
        return Reply(200, orjson.dumps({"symbol": symbol, name: [shown(row) for row in rows]}), "ok")


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    document = dict(row)
    if "taker_side" in document:
        document["taker_side"] = "sell" if document["taker_side"] == pb.SELL else "buy"
    return document
