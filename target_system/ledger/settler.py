"""`python -m target_system.ledger.settler`: keeps engine, ledger and Redis in step, beside the order path.

Each round it does four things, each of which needs other servers, so that one away stops only what needs it:
what the engine has synced and the ledger lacks for longer than a grace period is inserted; what the ledger has and
Redis lacks is applied (an empty Redis is simply one that lacks everything); sessions whose lease ran out
lose their orders; changed books are written to Redis. Once a second what the stores hold is audited (auditor.py).
Settings come from the environment, prefix SETTLER_.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

import grpc
import orjson

from target_system.ledger import projection, sessions
from target_system.ledger.auditor import Auditor
from target_system.ledger.books import book_document
from target_system.ledger.connections import LedgerAway, SilentWatcher, for_each_shard
from target_system.ledger.projection import BEYOND, SCRIPT, WATERMARK
from target_system.ledger.queries import count_recorded, recorded, traded
from target_system.ledger.rows import Delta, Symbols, entry_of
from target_system.ledger.write_path import PerOrder
from target_system.orders import disconnect_identity
from target_system.proto import engine_pb2 as pb
from target_system.proto.engine_pb2_grpc import EngineStub
from target_system.settings import SettlerSettings, password_of, read_settings
from target_system.side_process import serve
from target_system.telemetry import Telemetry

APPLY_BATCH = 500
CHANNEL_OPTIONS = (("grpc.max_reconnect_backoff_ms", 500), ("grpc.max_receive_message_length", -1))
ENGINE, LEDGER, REDIS = "engine", "ledger", "redis"
AWAY: dict[type[BaseException], str] = {grpc.aio.AioRpcError: ENGINE, LedgerAway: LEDGER}


class Settler:
    def __init__(self, settings: SettlerSettings, telemetry: Telemetry) -> None:
        self._settings, self._telemetry = settings, telemetry
        self._get = telemetry.metrics.get
        self._deadline_s = settings.call_deadline_ms / 1000
        self._symbols = Symbols(settings.symbols, len(settings.ledger_dsns))
        self._shards = for_each_shard(settings.ledger_dsns, 1, SilentWatcher(), settings.call_deadline_ms)
        self._ledger = PerOrder(self._shards, self._deadline_s, lambda: None)
        self._redis = projection.connect(
            settings.redis_url, password_of(settings.redis_password_file), self._deadline_s
        )
        self._script = self._redis.register_script(SCRIPT)
        self._channel = grpc.aio.insecure_channel(settings.engine_target, options=CHANNEL_OPTIONS)
        self._engine: Any = EngineStub(self._channel)
        self._auditor = Auditor(self._shards, self._redis, self._symbols.names, self._deadline_s, self._get)
        self._synced: deque[tuple[float, int]] = deque()
        self._is_up: dict[str, bool] = {}
        self._published: dict[str, int] = {}
        self._published_at = -1
        self._compares_at = 0.0
        self.ledger_mark = 0
        """The ledger holds every sequence number up to here."""

    async def __aenter__(self) -> Self:
        for shard in self._shards:
            shard.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for shard in self._shards:
            await shard.close()
        with suppress(*projection.LOST):
            await self._redis.aclose()
        await self._channel.close()

    async def run(self) -> None:
        """Rounds until cancelled."""
        async with self:
            while True:
                began = time.monotonic()
                await self.round()
                took = time.monotonic() - began
                self._get("settler_round_seconds").observe(took)
                await asyncio.sleep(max(0.01, self._settings.round_ms / 1000 - took))

    async def round(self) -> None:
        """Books each time; the stores more seldom, for they differ only after a crash."""
        if time.monotonic() >= self._compares_at:
            self._compares_at = time.monotonic() + self._settings.compare_ms / 1000
            await self._guarded(self.fill_ledger)
            await self._guarded(self.fill_redis)
            await self._guarded(self.end_sessions)
            await self._guarded(lambda: self._auditor.look(self.ledger_mark))
        await self._guarded(self.publish_books)

    async def _guarded(self, duty: Callable[[], Awaitable[None]]) -> None:
        try:
            await duty()
        except (grpc.aio.AioRpcError, LedgerAway, *projection.LOST) as error:
            self._mark(AWAY.get(type(error), REDIS), repr(error))

    def _mark(self, server: str, error: str | None) -> None:
        """Note whether a server answered; log where that changed."""
        self._get("settler_server_up", server).set(error is None)
        if self._is_up.get(server, True) != (error is None):
            if error is None:
                self._telemetry.log.info("server_back", server=server)
            else:
                self._telemetry.log.warning("server_lost", server=server, error=error)
        self._is_up[server] = error is None

    async def fill_ledger(self) -> None:
        """Insert what was synced a grace period ago and is not in the ledger yet; then move the mark."""
        status = await self._engine.Status(pb.StatusRequest(), timeout=self._deadline_s)
        self._mark(ENGINE, None)
        self._get("settler_engine_sequence").set(status.synced_sequence)
        if status.replaying:
            return
        due = self._due(status.synced_sequence)
        while self.ledger_mark < due:
            last = min(due, self.ledger_mark + self._settings.batch)
            if not await self._fill(self.ledger_mark + 1, last):
                return
            self.ledger_mark = last
            self._get("settler_ledger_sequence").set(last)
        self._mark(LEDGER, None)

    def _due(self, synced: int) -> int:
        """What was synced a grace period ago: its gateway has had the time to insert it."""
        now = time.monotonic()
        self._synced.append((now, synced))
        until = now - self._settings.grace_ms / 1000
        while len(self._synced) > 1 and self._synced[1][0] <= until:
            self._synced.popleft()
        at, due = self._synced[0]
        return due if at <= until else 0

    async def _fill(self, first: int, last: int) -> bool:
        """Whether the ledger has the whole range now. Not if the engine lacks a result, for it has just restarted."""
        if await count_recorded(self._shards, first, last, self._deadline_s) == last - first + 1:
            return True
        lacking = sorted(set(range(first, last + 1)) - await recorded(self._shards, first, last, self._deadline_s))
        if not lacking:
            return True
        request = pb.ResultsRequest(first_sequence=lacking[0], last_sequence=lacking[-1])
        given = await self._engine.Results(request, timeout=self._deadline_s)
        results = {result.sequence: result for result in given.results}
        filled = [sequence for sequence in lacking if sequence in results]
        for sequence in filled:
            result = results[sequence]
            await self._ledger.record(entry_of(result.command, result, self._symbols))
        self._get("settler_holes_filled_total").inc(len(filled))
        self._telemetry.log.info("hole_filled", first=lacking[0], last=lacking[-1], count=len(filled))
        return len(filled) == len(lacking)

    async def end_sessions(self) -> None:
        """Cancel the orders of accounts that are not heard of any more. Repeated, it is the same command."""
        for account, number in await sessions.overdue(self._shards[0], self._deadline_s):
            command = pb.Command(
                kind=pb.MASS_CANCEL, account=account, client_order_id=disconnect_identity(number),
                received_ns=time.time_ns(),
            )  # fmt: skip
            result = await self._engine.Submit(command, timeout=self._deadline_s)
            if result.outcome == pb.NOT_SEQUENCED:
                return
            first = result.command if result.repeated_command else command
            await self._ledger.record(entry_of(first, result, self._symbols))
            await sessions.close(self._shards[0], account, number, self._deadline_s)
            self._telemetry.log.info(
                "session_ended", account=account, session=number, cancelled_lots=result.cancelled_lots
            )

    async def fill_redis(self) -> None:
        """Apply every command of the ledger that Redis lacks, a bounded batch at a time, oldest first."""
        applied = int(await self._redis.get(WATERMARK) or 0)
        first = applied
        while applied < self.ledger_mark:
            last = min(self.ledger_mark, applied + APPLY_BATCH)
            deltas: dict[int, list[Delta]] = {sequence: [] for sequence in range(applied + 1, last + 1)}
            for sequence, delta in await traded(self._shards, applied + 1, last, self._deadline_s):
                deltas[sequence].append(delta)
            applied = int(await self._script((WATERMARK, BEYOND), projection.arguments(deltas.items())))
        self._mark(REDIS, None)
        self._get("settler_redis_sequence").set(applied)
        if applied > first and first < self.ledger_mark:
            self._get("settler_projected_total").inc(self.ledger_mark - first)
            self._telemetry.log.info(
                "projected", first=first + 1, last=self.ledger_mark, count=self.ledger_mark - first
            )

    async def publish_books(self) -> None:
        """Write the books that changed since the last round. Redis emptied meanwhile shows by a missing book."""
        keys = [projection.book_key(symbol) for symbol in self._symbols.names]
        kept = await self._redis.exists(*keys)
        if kept < len(keys):
            self._published.clear()
        status = await self._engine.Status(pb.StatusRequest(), timeout=self._deadline_s)
        if self._published and self._published_at == status.last_sequence:
            return
        books = {}
        for index, symbol in enumerate(self._symbols.names):
            request = pb.BookRequest(symbol=index, depth=self._settings.book_depth)
            book = await self._engine.Book(request, timeout=self._deadline_s)
            if self._published.get(symbol) != book.sequence:
                books[symbol] = book
        if books:
            documents = {projection.book_key(s): orjson.dumps(book_document(s, book)) for s, book in books.items()}
            await self._redis.mset(documents)
            self._get("settler_books_published_total").inc(len(books))
            self._published |= {symbol: book.sequence for symbol, book in books.items()}
        self._published_at = status.last_sequence


async def run(settings: SettlerSettings) -> None:
    """Settle until SIGTERM or SIGINT."""
    telemetry = Telemetry("settler", settings.name)
    await serve(telemetry, settings.host, settings.port, Settler(settings, telemetry).run())


def main() -> None:
    asyncio.run(run(read_settings(SettlerSettings)))


if __name__ == "__main__":
    main()
