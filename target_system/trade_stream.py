"""Trades on their way from the market data to the history: one Redis Stream, bounded, lost without harm.

An entry holds some trades of one moment as JSON. Time is the gateway's receipt of the command that traded, which the
journal and the ledger keep too, so that a trade is the same row wherever the history got it from.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import orjson

STREAM = "trades"
FIELD = b"trades"
ENTRY_TRADES_MAX = 64


class Trade(NamedTuple):
    trade_id: int
    """1, 2, 3 ... without a gap over all symbols."""
    sequence: int
    symbol: str
    price_ticks: int
    quantity_lots: int
    taker_side: int
    """As in engine.proto."""
    time_ns: int


def encode(trades: Iterable[Trade]) -> bytes:
    return orjson.dumps([tuple(trade) for trade in trades])


def decode(entry: bytes) -> list[Trade]:
    return [Trade(*fields) for fields in orjson.loads(entry)]
