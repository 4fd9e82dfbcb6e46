"""From the trades' stream into the history, each entry at least once: read, written and committed, then acknowledged.

What a consumer took and never acknowledged, because it died, is taken over after a while. A Redis that lost the stream
gets a new group; what it lost is the audit's to find.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio
from redis.exceptions import ResponseError

from target_system.telemetry import Telemetry
from target_system.trade_stream import FIELD, STREAM, Trade, decode

GROUP = "history"
BLOCK_MS = 500

Entries = list[tuple[bytes, dict[bytes, bytes] | None]]


class Consumer:
    """`write` stores trades and returns once they are committed."""

    def __init__(
        self, client: redis.asyncio.Redis, name: str, entries: int, reclaim_ms: int,
        write: Callable[[list[Trade]], Awaitable[None]], telemetry: Telemetry,
    ) -> None:  # fmt: skip
        self._redis, self._name, self._entries, self._reclaim_ms = client, name, entries, reclaim_ms
        self._write, self._get, self._log = write, telemetry.metrics.get, telemetry.log
        self._has_group = False
        self._reclaims_at = 0.0

    async def round(self) -> None:
        """Takes what is there, or waits a moment for it. Raises projection.LOST, and what `write` does."""
        try:
            if not self._has_group:
                await self._make_group()
            if time.monotonic() >= self._reclaims_at:
                await self._reclaim()
                self._reclaims_at = time.monotonic() + self._reclaim_ms / 1000
            found: Any = await self._redis.xreadgroup(GROUP, self._name, {STREAM: ">"}, self._entries, BLOCK_MS)
        except ResponseError:
            self._has_group = False  # Redis is another since: empty
            raise
        for _, entries in found or []:
            await self._take(entries)

    async def _make_group(self) -> None:
        try:
            await self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._has_group = True

    async def _reclaim(self) -> None:
        start: Any = "0-0"
        while True:
            start, entries, _ = await self._redis.xautoclaim(
                STREAM, GROUP, self._name, self._reclaim_ms, start, self._entries
            )
            if entries:
                self._get("history_reclaimed_entries_total").inc(len(entries))
                self._log.info("reclaimed", count=len(entries))
                await self._take(entries)
            if start in (b"0-0", "0-0"):
                return

    async def _take(self, entries: Entries) -> None:
        trades = [trade for _, fields in entries if fields for trade in decode(fields[FIELD])]
        if trades:
            await self._write(trades)
        await self._redis.xack(STREAM, GROUP, *(entry for entry, _ in entries))

    async def measure(self) -> None:
        """How much of the stream is not written, and how old the oldest of it is."""
        groups: Any = await self._redis.xinfo_groups(STREAM)
        mine = next((group for group in groups if text(group["name"]) == GROUP), None)
        if mine is None:
            return
        self._get("history_lag_entries").set((mine["lag"] or 0) + mine["pending"])
        pending: Any = await self._redis.xpending(STREAM, GROUP)
        oldest = pending["min"]
        if oldest is None:
            unread: Any = await self._redis.xrange(STREAM, min="(" + text(mine["last-delivered-id"]), count=1)
            oldest = unread[0][0] if unread else None
        age_s = 0.0 if oldest is None else max(0.0, time.time() - int(text(oldest).partition("-")[0]) / 1000)
        self._get("history_lag_seconds").set(age_s)


def text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
