"""The books as one stream of the engine's tells them, and what is to be told on. Pure.

Every symbol's updates are a chain (market_data.proto): `apply` refuses one that does not join what it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from target_system.orders import Side
from target_system.proto import engine_pb2 as pb
from target_system.proto import market_data_pb2 as md
from target_system.trade_stream import Trade


class GapError(Exception):
    """An update does not follow the last one of its symbol; the text says which."""


@dataclass(slots=True)
class Book:
    symbol: str
    sequence: int = 0
    bids: dict[int, int] = field(default_factory=dict)
    """Price in ticks → lots."""
    asks: dict[int, int] = field(default_factory=dict)
    halted: bool = False
    last_trade_price_ticks: int = 0

    def snapshot(self) -> str:
        return text({
            "type": "snapshot", "symbol": self.symbol, "sequence": self.sequence,
            "bids": sorted(self.bids.items(), reverse=True), "asks": sorted(self.asks.items()),
            "halted": self.halted, "last_trade_price_ticks": self.last_trade_price_ticks or None,
        })  # fmt: skip


@dataclass(slots=True)
class Change:
    """One or more consecutive updates of one symbol. Levels as they are after the last of them, all the trades."""

    symbol: int
    previous_sequence: int
    sequence: int = 0
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    halted: bool = False
    received_ns: int = 0
    """By the gateway, of the last command."""

    def message(self, symbol: str) -> str:
        trades = [
            {"trade_id": t.trade_id, "price_ticks": t.price_ticks, "quantity_lots": t.quantity_lots,
             "taker_side": Side.SELL if t.taker_side == pb.SELL else Side.BUY, "time_ns": t.time_ns}
            for t in self.trades
        ]  # fmt: skip
        return text({
            "type": "update", "symbol": symbol, "sequence": self.sequence, "previous_sequence": self.previous_sequence,
            "bids": list(self.bids.items()), "asks": list(self.asks.items()), "trades": trades, "halted": self.halted,
        })  # fmt: skip


def heartbeat(sequence: int, engine_connected: bool, time_ns: int) -> str:
    return text({
        "type": "heartbeat", "sequence": sequence, "engine_connected": engine_connected, "time_ns": time_ns,
    })  # fmt: skip


def text(document: dict[str, object]) -> str:
    return orjson.dumps(document).decode()


class Books:
    """One book a symbol, in the engine's order."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.all = [Book(symbol) for symbol in symbols]
        self.sequence = 0
        """What the commands up to here changed is in."""

    def apply(self, events: md.Events) -> tuple[list[int], list[Change]]:
        """The symbols whose books were set anew, and each symbol's changes as one. Raises GapError."""
        anew = [self._set(snapshot) for snapshot in events.snapshots]
        changes: dict[int, Change] = {}
        for update in events.updates:
            self._change(update, changes)
        self.sequence = events.sequence or self.sequence
        return anew, list(changes.values())

    def _set(self, snapshot: md.Snapshot) -> int:
        book = self.all[snapshot.symbol]
        book.sequence, book.halted = snapshot.sequence, snapshot.halted
        book.last_trade_price_ticks = snapshot.last_trade_price_ticks
        book.bids = {level.price_ticks: level.quantity_lots for level in snapshot.bids}
        book.asks = {level.price_ticks: level.quantity_lots for level in snapshot.asks}
        return snapshot.symbol

    def _change(self, update: md.Update, changes: dict[int, Change]) -> None:
        book = self.all[update.symbol]
        if update.previous_sequence != book.sequence:
            raise GapError(
                f"{book.symbol}: update {update.sequence} follows {update.previous_sequence}, the last known is"
                f" {book.sequence}"
            )
        change = changes.get(update.symbol)
        if change is None:
            change = changes[update.symbol] = Change(update.symbol, update.previous_sequence)
        book.sequence = change.sequence = update.sequence
        book.halted = change.halted = update.halted
        change.received_ns = update.received_ns
        for kept, told, levels in ((book.bids, change.bids, update.bids), (book.asks, change.asks, update.asks)):
            for level in levels:
                price, lots = level.price_ticks, level.quantity_lots
                told[price] = lots
                if lots:
                    kept[price] = lots
                else:
                    kept.pop(price, None)
        for trade in trades_of(update, book.symbol):
            change.trades.append(trade)
            book.last_trade_price_ticks = trade.price_ticks


def trades_of(update: md.Update, symbol: str) -> Iterator[Trade]:
    for trade in update.trades:
        side = pb.SELL if trade.taker_sells else pb.BUY
        yield Trade(
            trade.trade_id, update.sequence, symbol, trade.price_ticks, trade.quantity_lots, side, update.received_ns
        )
