"""A slow, plain engine behind the real interface: an oracle for results, and a server that tests can hold up or break.

It keeps nothing on disk and knows limit and market orders and cancels.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

from target_system.proto import engine_pb2 as pb
from target_system.proto.engine_pb2_grpc import EngineServicer, add_EngineServicer_to_server

PRICE_MAX = 1_000_000


class PlainBook:
    """Commands in, results out. Resting orders are protocol messages in a list for each symbol, oldest first."""

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self.symbols = symbols
        self.results: list[pb.Result] = []
        self.resting: list[list[pb.RestingOrder]] = [[] for _ in symbols]
        self.last_price = [0] * len(symbols)
        self.trades = 0
        self._first: dict[tuple[int, str], pb.Result] = {}

    def submit(self, command: pb.Command) -> pb.Result:
        identity = (command.account, command.client_order_id)
        if identity in self._first:
            result = pb.Result()
            result.CopyFrom(self._first[identity])
            result.request, result.repeated_command = command.request, True
            return result
        result = pb.Result(sequence=len(self.results) + 1, request=command.request)
        (self._cancel if command.kind == pb.CANCEL else self._new)(command, result)
        kept = pb.Result()
        kept.CopyFrom(result)
        kept.command.CopyFrom(command)
        self.results.append(kept)
        self._first[identity] = kept
        return result

    def _cancel(self, command: pb.Command, result: pb.Result) -> None:
        result.order_id = command.order_id
        for orders in self.resting:
            for order in orders:
                if order.order_id == command.order_id and order.account == command.account:
                    orders.remove(order)
                    result.outcome, result.cancelled_lots = pb.CANCELLED, order.quantity_lots
                    return
        result.outcome, result.reason = pb.REJECTED, pb.NO_SUCH_ORDER

    def _new(self, command: pb.Command, result: pb.Result) -> None:
        result.order_id = result.sequence
        open_lots = self._match(command, result)
        if open_lots and command.order_type == pb.LIMIT:
            result.outcome, result.resting_lots = pb.RESTING, open_lots
            result.resting_price_ticks = command.price_ticks
            self.resting[command.symbol].append(
                pb.RestingOrder(
                    order_id=result.order_id, account=command.account, symbol=command.symbol, side=command.side,
                    price_ticks=command.price_ticks, quantity_lots=open_lots,
                )
            )  # fmt: skip
        elif open_lots:
            result.outcome, result.reason, result.cancelled_lots = pb.CANCELLED, pb.NO_LIQUIDITY, open_lots
        else:
            result.outcome = pb.FILLED

    def _match(self, command: pb.Command, result: pb.Result) -> int:
        """Trades with the other side, best price first, oldest first; returns what stays open."""
        sign = 1 if command.side == pb.BUY else -1
        others = [o for o in self.resting[command.symbol] if o.side != command.side]
        open_lots = command.quantity_lots
        for maker in sorted(others, key=lambda o: (sign * o.price_ticks, o.order_id)):
            too_dear = command.order_type == pb.LIMIT and sign * maker.price_ticks > sign * command.price_ticks
            if not open_lots or too_dear:
                break
            lots = min(open_lots, maker.quantity_lots)
            self.trades += 1
            result.fills.add(
                trade_id=self.trades, maker_order_id=maker.order_id, maker_account=maker.account,
                price_ticks=maker.price_ticks, quantity_lots=lots,
            )  # fmt: skip
            self.last_price[command.symbol] = maker.price_ticks
            open_lots -= lots
            maker.quantity_lots -= lots
            if not maker.quantity_lots:
                self.resting[command.symbol].remove(maker)
        result.filled_lots = command.quantity_lots - open_lots
        return open_lots

    def levels(self, symbol: int, side: int, depth: int) -> list[pb.Level]:
        by_price: dict[int, pb.Level] = {}
        for order in self.resting[symbol]:
            if order.side == side:
                level = by_price.setdefault(order.price_ticks, pb.Level(price_ticks=order.price_ticks))
                level.quantity_lots += order.quantity_lots
                level.orders += 1
        return [by_price[price] for price in sorted(by_price, reverse=side == pb.BUY)][:depth]

    def in_priority(self) -> list[pb.RestingOrder]:
        """Every resting order: by symbol, bids then asks, best price first, first in first."""

        def rank(order: pb.RestingOrder) -> tuple[int, int, int, int]:
            price = -order.price_ticks if order.side == pb.BUY else order.price_ticks
            return order.symbol, order.side, price, order.order_id

        return sorted((order for orders in self.resting for order in orders), key=rank)


class PlainEngine(EngineServicer):  # type: ignore[misc] # generated without annotations
    """`is_silent`: takes commands and answers none. `refuses`: answers NOT_SEQUENCED."""

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self.book = PlainBook(symbols)
        self.is_silent = False
        self.refuses = False
        self.batches: list[int] = []
        self.streams: list[asyncio.Event] = []

    def break_streams(self) -> None:
        for broken in self.streams:
            broken.set()
        self.streams.clear()

    def _result(self, command: pb.Command) -> pb.Result:
        if self.refuses:
            return pb.Result(request=command.request, outcome=pb.NOT_SEQUENCED, reason=pb.QUEUE_FULL)
        return self.book.submit(command)

    async def Submit(self, command: pb.Command, _: Any) -> pb.Result:
        return self._result(command)

    async def Stream(self, requests: AsyncIterator[pb.CommandBatch], context: Any) -> AsyncIterator[pb.ResultBatch]:
        broken = asyncio.Event()
        self.streams.append(broken)
        while True:
            read = asyncio.ensure_future(anext(requests, None))
            cut = asyncio.ensure_future(broken.wait())
            await asyncio.wait({read, cut}, return_when=asyncio.FIRST_COMPLETED)
            cut.cancel()
            batch = read.result() if read.done() else None
            if batch is None:
                read.cancel()
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the stream was cut")
                return
            self.batches.append(len(batch.commands))
            results = [self._result(command) for command in batch.commands]
            if not self.is_silent:
                yield pb.ResultBatch(results=results)

    async def Results(self, request: pb.ResultsRequest, _: Any) -> pb.ResultBatch:
        return pb.ResultBatch(results=self.book.results[request.first_sequence - 1 : request.last_sequence])

    async def Book(self, request: pb.BookRequest, _: Any) -> pb.BookReply:
        return pb.BookReply(
            sequence=len(self.book.results),
            bids=self.book.levels(request.symbol, pb.BUY, request.depth),
            asks=self.book.levels(request.symbol, pb.SELL, request.depth),
            last_trade_price_ticks=self.book.last_price[request.symbol],
        )

    async def Dump(self, _request: pb.DumpRequest, _: Any) -> AsyncIterator[pb.RestingOrders]:
        yield pb.RestingOrders(sequence=len(self.book.results), orders=self.book.in_priority())

    async def Status(self, _request: pb.StatusRequest, _: Any) -> pb.StatusReply:
        last = len(self.book.results)
        return pb.StatusReply(
            last_sequence=last, synced_sequence=last, last_trade_id=self.book.trades, symbols=self.book.symbols,
            price_ticks_min=1, price_ticks_max=PRICE_MAX, resting_orders=sum(map(len, self.book.resting)),
        )  # fmt: skip


@contextlib.asynccontextmanager
async def plain_engine(symbols: tuple[str, ...], port: int = 0) -> AsyncIterator[tuple[PlainEngine, str]]:
    """The engine and the target where it answers."""
    engine = PlainEngine(symbols)
    server = grpc.aio.server()
    add_EngineServicer_to_server(engine, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield engine, f"127.0.0.1:{bound}"
    finally:
        engine.break_streams()
        await server.stop(0.2)
