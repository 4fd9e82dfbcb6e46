"""A book as the API shows it and as Redis keeps it."""

from __future__ import annotations

from target_system.proto import engine_pb2 as pb


def book_document(symbol: str, book: pb.BookReply) -> dict[str, object]:
    """Best level first on both sides; `sequence` is the last command that the book has seen."""
    return {
        "symbol": symbol,
        "sequence": book.sequence,
        "bids": [_level(level) for level in book.bids],
        "asks": [_level(level) for level in book.asks],
        "halted": book.halted,
        "last_trade_price_ticks": book.last_trade_price_ticks or None,
    }


def _level(level: pb.Level) -> dict[str, int]:
    return {"price_ticks": level.price_ticks, "quantity_lots": level.quantity_lots, "orders": level.orders}
