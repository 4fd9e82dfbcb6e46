"""A Redis that shows other than what the ledger holds: a script of last year, somebody at the console."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from deploy.cluster import Cluster
from deploy.faults.fault import Fault
from deploy.faults.meanwhile import meanwhile
from deploy.faults.redis_client import redis_of
from target_system.ledger.projection import book_key, position_key

WRITE_EVERY_S = 0.02


class WrongPosition(Fault):
    """Account 1 holds one lot of the first symbol more than its trades gave it; taken back afterwards."""

    kind: Literal["wrong_position"] = "wrong_position"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        symbol = cluster.topology.symbols[0]
        with redis_of(cluster) as client:
            client.hincrby(position_key(1), symbol, 1)
        try:
            yield
        finally:
            with redis_of(cluster) as client:
                client.hincrby(position_key(1), symbol, -1)


class CrossedBook(Fault):
    """A stray writer puts the first symbol's book back again and again with its best bid above its best ask."""

    kind: Literal["crossed_book"] = "crossed_book"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        symbol = cluster.topology.symbols[0]
        level = {"quantity_lots": 1, "orders": 1}
        book = {
            "symbol": symbol, "sequence": 0, "bids": [{"price_ticks": 11, **level}],
            "asks": [{"price_ticks": 10, **level}], "halted": False, "last_trade_price_ticks": None,
        }  # fmt: skip
        with redis_of(cluster) as client:

            def write(ended: threading.Event) -> None:
                if not ended.wait(WRITE_EVERY_S):
                    client.set(book_key(symbol), json.dumps(book))

            try:
                with meanwhile(write):
                    yield
            finally:
                client.delete(book_key(symbol))  # the settler writes all books anew where one is missing
