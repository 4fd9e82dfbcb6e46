"""The risk desk of a gateway: its portfolio by the settings, and the engine and ledger that it follows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import grpc
import redis.asyncio

from target_system.ledger import queries
from target_system.ledger.connections import Connections, LedgerAway
from target_system.ledger.rows import Symbols
from target_system.proto import engine_pb2 as pb
from target_system.risk.desk import RiskDesk
from target_system.risk.follower import Beginning, CannotFollow, Follower
from target_system.risk.in_postgres import InPostgres
from target_system.risk.in_redis import InRedis
from target_system.risk.limits import Limits, Order
from target_system.risk.portfolio import Memory, Portfolio, PortfolioAway
from target_system.settings import RiskSettings

RESULTS_MAX = 4_096
RECORDED_DEADLINE_S = 10.0
RECORDED_POLL_S = 0.05


def build_risk(
    settings: RiskSettings, stub: Callable[[], Any], shards: Sequence[Connections], symbols: Symbols,
    client: redis.asyncio.Redis, deadline_s: float, on_trouble: Callable[[str], None],
) -> tuple[RiskDesk, Follower, Sources]:  # fmt: skip
    """The follower's `run` keeps the desk up to date."""

    async def is_recorded(account: int, name: str) -> bool:
        return await queries.is_recorded(shards, account, name, deadline_s)

    portfolio = portfolio_of(settings, client, shards[0], deadline_s)
    sources = Sources(stub, shards, symbols, deadline_s)
    follower = Follower(symbols.names, portfolio, sources.begin, sources.results, settings.follow_ms / 1000, on_trouble)
    return RiskDesk(limits_of(settings), portfolio, follower, is_recorded), follower, sources


def portfolio_of(
    settings: RiskSettings, client: redis.asyncio.Redis, ledger: Connections, deadline_s: float
) -> Portfolio:
    if settings.portfolio == "redis":
        return InRedis(client)
    if settings.portfolio == "postgres":
        return InPostgres(fetch_from(ledger, deadline_s))
    return Memory()


def fetch_from(ledger: Connections, deadline_s: float) -> Callable[..., Any]:
    async def fetch(sql: str, *arguments: object) -> list[Any]:
        try:
            return await queries.fetch(ledger, deadline_s, sql, *arguments)
        except LedgerAway as error:
            raise PortfolioAway(str(error)) from error

    return fetch


class Sources:
    """What a follower reads. `stub` gives the engine's stub of the moment, None before there is one."""

    def __init__(self, stub: Callable[[], Any], shards: Sequence[Connections], symbols: Symbols, deadline_s: float):
        self._stub, self._shards, self._symbols, self._deadline_s = stub, shards, symbols, deadline_s

    async def results(self, after: int) -> Sequence[pb.Result]:
        request = pb.ResultsRequest(first_sequence=after + 1, last_sequence=after + RESULTS_MAX)
        try:
            batch = await self._engine().Results(request, timeout=self._deadline_s)
        except grpc.aio.AioRpcError as error:
            raise CannotFollow(f"{error.code().name}: {error.details()}") from error
        results: Sequence[pb.Result] = batch.results
        return results

    async def begin(self) -> Beginning:
        try:
            parts = [part async for part in self._engine().Dump(pb.DumpRequest(), timeout=self._deadline_s)]
            sequence = parts[0].sequence
            positions = await self._positions(sequence)
            prices = {}
            for name, index in self._symbols.indices.items():
                asked = pb.BookRequest(symbol=index, depth=0)
                book = await self._engine().Book(asked, timeout=self._deadline_s)
                if book.last_trade_price_ticks:
                    prices[name] = book.last_trade_price_ticks
        except grpc.aio.AioRpcError as error:
            raise CannotFollow(f"{error.code().name}: {error.details()}") from error
        except LedgerAway as error:
            raise CannotFollow(str(error)) from error
        return Beginning(sequence, [order for part in parts for order in part.orders], positions, prices)

    async def _positions(self, sequence: int) -> dict[tuple[int, str], int]:
        """Waits until the ledger has everything up to there: what others are writing now, what the settler fills in."""
        until = time.monotonic() + RECORDED_DEADLINE_S
        while time.monotonic() < until:
            found = await queries.positions_as_of(self._shards, sequence, self._deadline_s)
            if found is not None:
                return found
            await asyncio.sleep(RECORDED_POLL_S)
        raise CannotFollow(f"the ledger lacks some commands up to {sequence}")

    def _engine(self) -> Any:
        stub = self._stub()
        if stub is None:
            raise CannotFollow("no channel to the engine yet")
        return stub


def limits_of(settings: RiskSettings) -> Limits:
    return Limits(
        settings.quantity_lots_max, settings.notional_max, settings.collar_bps, settings.position_lots_max,
        settings.exposure_per_s_max,
    )  # fmt: skip


def order_in(command: pb.Command, symbols: Symbols) -> Order:
    price = None if command.order_type == pb.MARKET else command.price_ticks
    return Order(
        command.account, command.client_order_id, symbols.names[command.symbol], command.side == pb.BUY, price,
        command.quantity_lots,
    )  # fmt: skip
