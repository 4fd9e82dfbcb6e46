"""What became of every request, one small binary row each: cheap to write under load, read back whole after the window.

The generator writes its rows to a file each second. From them `loadgen.latency` makes the acknowledgement
ledger and the histograms once the load is over, so none of that costs the generator CPU while it measures.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from pathlib import Path

import numpy as np

from loadgen.http_client import Failure

FIELDS = (
    ("user", "I"), ("number", "I"), ("account", "I"), ("kind", "H"), ("outcome", "H"), ("late_ns", "I"),
    ("order_id", "Q"), ("sequence", "Q"), ("intended_ns", "q"), ("sent_ns", "q"), ("answered_ns", "q"),
)  # fmt: skip
"""Name and `struct` code of each column, little-endian, in the order of `pack_receipt`'s arguments."""
ROW = np.dtype([(name, "<" + {"H": "u2", "I": "u4", "Q": "u8", "q": "i8"}[code]) for name, code in FIELDS])
pack_receipt = struct.Struct("<" + "".join(code for _, code in FIELDS)).pack


class Kind(IntEnum):
    NEW = 0
    CANCEL = 1
    REPLACE = 2


OK = 0
ABANDONED = 1
"""Still unanswered when the generator was stopped."""
UNSENT = 2
"""Open loop: due, but as many requests as may be were in flight until it was given up. Nobody ever saw it."""
UNPLAYABLE = 3
"""Replay: a cancel of an order that is not in the book, or whose answer had not come yet. Nobody ever saw it."""
NEVER_SENT = frozenset({UNSENT, UNPLAYABLE})
FAILURES = {failure: code for code, failure in enumerate(Failure, start=4)}
_NAMES = {
    OK: "ok",
    ABANDONED: "abandoned",
    UNSENT: "unsent",
    UNPLAYABLE: "unplayable",
    **{code: failure.value for failure, code in FAILURES.items()},
}
_DOUBTFUL = frozenset({"abandoned", "reset", "timeout", "protocol"})


def outcome_name(code: int) -> str:
    """`ok`, a failure's word, or `http_<status>` for every other answer."""
    return _NAMES.get(code) or f"http_{code}"


def in_doubt(outcome: str) -> bool:
    """Whether a request that ended so may have happened all the same.

    A 503 too: HAProxy repeats a request whose gateway died, and the one that refuses then does not know of the first.
    """
    return outcome in _DOUBTFUL or outcome.startswith("http_5")


class Rows:
    """Rows kept in memory until somebody takes them."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []

    def append(self, row: bytes) -> None:
        self._rows.append(row)

    def take(self) -> bytes:
        rows, self._rows = self._rows, []
        return b"".join(rows)


class ReceiptFile:
    """Where rows go each second. Raises OSError, with the file's name, where the disk is full."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, rows: bytes) -> None:
        try:
            self._file.write(rows)
            self._file.flush()
        except OSError as error:
            error.filename = self._file.name
            raise

    def close(self) -> None:
        self._file.close()
