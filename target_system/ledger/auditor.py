"""Looks once a second at what no order may do to the stores, beside the order path: gauges that alerts watch.

Of the ledger the last commands are read, and as far back as trouble stands: a trouble stays in sight until it is gone.
Of Redis all positions (every trade gives one account what it takes from another, so they cancel out) and all books.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import redis.asyncio

from target_system.ledger.connections import Connections
from target_system.ledger.projection import book_key
from target_system.ledger.queries import count_recorded, recorded, repeated_trades

EVERY_S = 1.0
COMMANDS, COMMANDS_MAX = 2_000, 20_000
"""Looked at, and at most while a trouble stands."""
ACCOUNTS_MAX = 1_000
"""Of more, positions are not added up: Redis would stand still for too long."""
UNBALANCED = """
    local sums, keys = {}, redis.call('KEYS', 'position:*')
    if #keys > tonumber(ARGV[1]) then return 0 end
    for _, key in ipairs(keys) do
      local fields = redis.call('HGETALL', key)
      for i = 1, #fields, 2 do
        if string.sub(fields[i], -5) ~= ':cash' then
          sums[fields[i]] = (sums[fields[i]] or 0) + tonumber(fields[i + 1])
        end
      end
    end
    local unbalanced = 0
    for _, sum in pairs(sums) do
      if sum ~= 0 then unbalanced = unbalanced + 1 end
    end
    return unbalanced
"""


class Auditor:
    """`get` gives a metric by name."""

    def __init__(
        self, shards: Sequence[Connections], client: redis.asyncio.Redis, symbols: Sequence[str], deadline_s: float,
        get: Callable[[str], Any],
    ) -> None:  # fmt: skip
        self._shards, self._redis, self._deadline_s, self._get = shards, client, deadline_s, get
        self._book_keys = [book_key(symbol) for symbol in symbols]
        self._unbalanced = client.register_script(UNBALANCED)
        self._looks_at = 0.0
        self._trouble_since: int | None = None

    async def look(self, ledger_mark: int) -> None:
        """`ledger_mark`: the ledger held every command up to here. Raises LedgerAway or projection.LOST."""
        if time.monotonic() < self._looks_at:
            return
        self._looks_at = time.monotonic() + EVERY_S
        await self._look_at_ledger(ledger_mark)
        self._get("settler_audit_unbalanced_positions").set(await self._unbalanced((), (ACCOUNTS_MAX,)))
        books = [orjson.loads(book) for book in await self._redis.mget(self._book_keys) if book]
        self._get("settler_audit_crossed_books").set(sum(map(is_crossed, books)))

    async def _look_at_ledger(self, last: int) -> None:
        first = max(1, last - COMMANDS + 1)
        if self._trouble_since is not None:
            first = max(1, min(first, self._trouble_since), last - COMMANDS_MAX + 1)
        lost: set[int] = set()
        if await count_recorded(self._shards, first, last, self._deadline_s) != last - first + 1:
            lost = set(range(first, last + 1)) - await recorded(self._shards, first, last, self._deadline_s)
        repeated = await repeated_trades(self._shards, first, last, self._deadline_s)
        self._trouble_since = min((*lost, *repeated.values()), default=None)
        self._get("settler_audit_lost_commands").set(len(lost))
        self._get("settler_audit_repeated_trades").set(len(repeated))


def is_crossed(book: dict[str, Any]) -> bool:
    """As `books.book_document` writes it, best level first."""
    if book["halted"] or not book["bids"] or not book["asks"]:
        return False
    return bool(book["bids"][0]["price_ticks"] >= book["asks"][0]["price_ticks"])
