"""A recorded order flow in LOBSTER's message format, read whole or refused with every fault and its line.

A row is `time, type, order id, size, price, direction` (https://lobsterdata.com/info/DataStructure.php): seconds after
midnight, ascending; dollars times 10,000; 1 for a buy order, -1 for a sell order. What can be replayed: a new limit
order (1), the deletion of an order that the recording has added (3), and the execution of a visible order (4), by a
market order from the other side. Partial cancels, hidden executions, crosses and halts have no counterpart and are left
out.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import IntEnum
from functools import lru_cache
from pathlib import Path

from target_system.orders import Side

PRICE_UNITS_A_TICK = 100
"""A tick is a cent."""
FAULTS_MAX = 10
FIELDS = 6


class Type(IntEnum):
    NEW = 1
    PARTIAL_CANCEL = 2
    DELETION = 3
    EXECUTION = 4
    HIDDEN_EXECUTION = 5
    CROSS = 6
    HALT = 7


@dataclass(frozen=True, slots=True)
class Message:
    """`side` is that of the order in the book, also where it is executed."""

    time_ns: int
    type: Type
    order_id: int
    lots: int
    price_ticks: int
    side: Side


class RecordingError(ValueError):
    """What is wrong with a recording, a fault a line, the first ten."""


@lru_cache(maxsize=4)
def read(path: Path) -> tuple[Message, ...]:
    """What of the file can be replayed. Raises RecordingError."""
    try:
        with path.open(newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"{path}: cannot be read ({error}); name a LOBSTER message file") from error
    messages: list[Message] = []
    faults: list[str] = []
    for line, row in enumerate(rows, start=1):
        try:
            message = _message(row)
            if messages and message.time_ns < messages[-1].time_ns:
                raise ValueError(f"time runs backwards, from {messages[-1].time_ns / 1e9} to {row[0]}; sort the rows")
            messages.append(message)
        except (ValueError, InvalidOperation) as error:
            faults.append(f"{path}:{line}: {error if str(error).count(';') else 'is no row of numbers; mend it'}")
    if faults:
        raise RecordingError("\n".join(faults[:FAULTS_MAX]))
    playable = tuple(_playable(messages))
    if not playable:
        raise RecordingError(f"{path}: holds nothing that can be replayed; it needs rows of type 1, 3 or 4")
    return playable


def _message(row: list[str]) -> Message:
    if len(row) != FIELDS:
        raise ValueError(f"has {len(row)} fields; a row is time, type, order id, size, price, direction")
    time_s, kind, order_id, size, price, direction = (Decimal(field) for field in row)
    if kind not in list(Type):
        raise ValueError(f"has type {kind}; use 1 to 7")
    if time_s < 0 or (kind < Type.CROSS and size <= 0) or direction not in (1, -1):
        raise ValueError("has a negative time, no size or a direction that is not 1 or -1; mend it")
    side = Side.BUY if direction == 1 else Side.SELL
    return Message(
        int(time_s * 10**9), Type(int(kind)), int(order_id), int(size), int(price) // PRICE_UNITS_A_TICK, side
    )


def _playable(messages: list[Message]) -> Iterator[Message]:
    added: set[int] = set()
    for message in messages:
        if message.type is Type.NEW:
            added.add(message.order_id)
            yield message
        elif message.type is Type.EXECUTION or (message.type is Type.DELETION and message.order_id in added):
            yield message
