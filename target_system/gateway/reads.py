"""The reading endpoints: an order from the ledger, positions and books from Redis, or from where Redis got them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import orjson
import redis.asyncio

from target_system.gateway import replies
from target_system.gateway.replies import Reply
from target_system.ledger import projection, queries
from target_system.ledger.books import book_document
from target_system.ledger.connections import Connections, LedgerAway
from target_system.ledger.projection import Position
from target_system.ledger.rows import Symbols
from target_system.orders import OrderType, Side
from target_system.proto import engine_pb2 as pb

BOOK_DEPTH = 10
SIDES = {pb.BUY: Side.BUY, pb.SELL: Side.SELL}
TYPES = {pb.LIMIT: OrderType.LIMIT, pb.MARKET: OrderType.MARKET}


class Reads:
    def __init__(
        self, shards: Sequence[Connections], redis_client: redis.asyncio.Redis, stub: Any, symbols: Symbols,
        deadline_s: float,
    ) -> None:  # fmt: skip
        """`stub` gives the engine's stub of the moment."""
        self._shards, self._redis, self._stub = shards, redis_client, stub
        self._symbols, self._deadline_s = symbols, deadline_s

    async def order(self, account: int, order_id: int) -> Reply:
        try:
            life = await queries.find_order(self._shards, account, order_id, self._deadline_s)
        except LedgerAway as error:
            return replies.unavailable("ledger-away", str(error))
        if life is None:
            return replies.not_found(f"this account has no order {order_id} in the ledger")
        first = life.first
        document = {
            "order_id": order_id,
            "client_order_id": first["client_order_id"],
            "symbol": first["symbol"],
            "side": SIDES[first["side"]],
            "type": TYPES.get(first["order_type"], "limit"),
            "price_ticks": life.terms["price_ticks"] or None,
            "quantity_lots": life.terms["quantity_lots"],
            "status": life.status,
            "filled_lots": life.filled_lots,
            "remaining_lots": life.open_lots,
            "cancelled_lots": life.cancelled_lots,
        }
        return Reply(200, orjson.dumps(document), "ok")

    async def book(self, symbol: str) -> Reply:
        index = self._symbols.indices.get(symbol)
        if index is None:
            return replies.not_found(f"no symbol {symbol} here")
        try:
            kept: Any = await self._redis.get(projection.book_key(symbol))
        except projection.LOST:
            kept = None
        if kept is not None:
            return Reply(200, kept, "ok")
        try:
            book = await self._stub().Book(pb.BookRequest(symbol=index, depth=BOOK_DEPTH), timeout=self._deadline_s)
        except grpc.aio.AioRpcError as error:
            return replies.unavailable("engine-away", f"neither Redis nor the engine has the book: {error.code().name}")
        return Reply(200, orjson.dumps(book_document(symbol, book)), "ok")

    async def portfolio(self, account: int) -> Reply:
        try:
            fields, mark = await self._from_redis(account)
        except projection.LOST:
            try:
                held = await queries.positions(self._shards, account, self._deadline_s)
            except LedgerAway as error:
                return replies.unavailable("ledger-away", f"Redis is away, and the ledger too: {error}")
            return portfolio_reply(account, "ledger", None, held)
        return portfolio_reply(account, "redis", mark, projection.positions_from(fields))

    async def _from_redis(self, account: int) -> tuple[dict[bytes, bytes], int]:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(projection.position_key(account))
            pipe.get(projection.WATERMARK)
            fields, mark = await pipe.execute()
        return fields, int(mark or 0)


def portfolio_reply(account: int, source: str, mark: int | None, held: list[Position]) -> Reply:
    positions = [{"symbol": p.symbol, "lots": p.lots, "cash": p.cash} for p in held]
    document = {"account": account, "source": source, "applied_sequence": mark, "positions": positions}
    return Reply(200, orjson.dumps(document), "ok")
