"""What the engine tells subscribers of its books: exact, gapless, and never waiting for one of them."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import grpc
import httpx
import pytest

from target_system.market_data.books import Books, GapError
from target_system.proto import engine_pb2 as pb
from target_system.proto import market_data_pb2 as md
from target_system.proto.market_data_pb2_grpc import MarketDataStub
from target_system.trade_stream import Trade
from tests.servers import wait_until
from tests.target_system.engine.server import DEADLINE_S, SYMBOLS, EngineServer, new

Start = Callable[..., EngineServer]
KINDS = (pb.NEW, pb.CANCEL, pb.REPLACE, pb.MASS_CANCEL, pb.HALT, pb.RESUME)


@dataclass
class Follower:
    """A subscriber that keeps books, in a thread of its own."""

    call: Any
    books: Books = field(default_factory=lambda: Books(SYMBOLS))
    symbols: set[int] = field(default_factory=set)
    trades: list[Trade] = field(default_factory=list)
    ended: grpc.StatusCode | None = None
    reason: str = ""

    def run(self) -> None:
        try:
            for events in self.call:
                _, changes = self.books.apply(events)
                self.symbols |= {snapshot.symbol for snapshot in events.snapshots}
                self.trades += [trade for change in changes for trade in change.trades]
        except grpc.RpcError as error:
            self.ended, self.reason = error.code(), error.details()

    def sees(self, sequence: int) -> bool:
        return self.books.sequence >= sequence


@contextlib.contextmanager
def following(engine: EngineServer, *symbols: int) -> Iterator[Follower]:
    call = MarketDataStub(engine.channel).Subscribe(md.SubscribeRequest(symbols=symbols), wait_for_ready=True)
    follower = Follower(call)
    thread = threading.Thread(target=follower.run)
    thread.start()
    wait_until(lambda: bool(follower.symbols), "a snapshot")
    try:
        yield follower
    finally:
        call.cancel()
        thread.join(DEADLINE_S)


def random_commands(seed: int, first: int, count: int) -> Iterator[pb.Command]:
    """Of every kind, few prices and accounts, so that much meets; order ids are guessed from the sequence so far."""
    chance = Random(seed)
    for n in range(first, first + count):
        kind = chance.choices(
            (pb.NEW, pb.CANCEL, pb.REPLACE, pb.MASS_CANCEL, pb.HALT, pb.RESUME), (70, 15, 10, 1, 1, 3)
        )
        command = new(chance.choice((pb.BUY, pb.SELL)), chance.randint(90, 110), chance.randint(1, 20), f"c{n}")
        command.kind, command.account, command.symbol = kind[0], chance.randint(1, 4), chance.randrange(len(SYMBOLS))
        command.self_trade_prevention = chance.randint(0, 4)
        command.received_ns = n
        if command.kind == pb.NEW and chance.random() < 0.3:
            command.order_type = chance.choice((pb.MARKET, pb.POST_ONLY_REJECT, pb.POST_ONLY_SLIDE, pb.LIMIT))
            if command.order_type == pb.MARKET:
                command.price_ticks = 0
            elif command.order_type == pb.LIMIT:
                command.time_in_force = chance.choice((pb.IOC, pb.FOK))
        elif command.kind in (pb.CANCEL, pb.REPLACE):
            command.order_id = max(1, n - chance.randint(0, 40))
        yield command


def trade_at_random(engine: EngineServer, seed: int, first: int, count: int, per_message: int = 8) -> list[pb.Result]:
    commands = list(random_commands(seed, first, count))
    parts = [commands[at : at + per_message] for at in range(0, count, per_message)]
    return engine.stream(pb.CommandBatch(commands=part) for part in parts)


def levels(book: pb.BookReply) -> tuple[dict[int, int], dict[int, int], bool]:
    sides = [{level.price_ticks: level.quantity_lots for level in side} for side in (book.bids, book.asks)]
    return sides[0], sides[1], book.halted


def assert_same_books(engine: EngineServer, books: Books) -> None:
    for index, book in enumerate(books.all):
        assert (book.bids, book.asks, book.halted) == levels(engine.book(index, depth=1000))
        assert book.last_trade_price_ticks == engine.book(index).last_trade_price_ticks


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_snapshot_and_updates_make_the_engines_book_exactly(engine: EngineServer, seed: int) -> None:
    results = trade_at_random(engine, seed, 1, 300)
    with following(engine) as early:
        results += trade_at_random(engine, seed + 100, 301, 1_000)
        with following(engine) as late:
            results += trade_at_random(engine, seed + 200, 1_301, 1_000)
            last = engine.status().last_sequence
            for follower in (early, late):
                wait_until(lambda f=follower: f.sees(last), f"everything up to {last}")
                assert_same_books(engine, follower.books)
    traded = [
        (fill.trade_id, r.sequence, fill.price_ticks, fill.quantity_lots) for r in results[300:] for fill in r.fills
    ]
    told = sorted(early.trades)
    assert [(t.trade_id, t.sequence, t.price_ticks, t.quantity_lots) for t in told] == traded
    assert all(trade.time_ns == trade.sequence for trade in told)


def test_a_subscriber_gets_only_the_symbols_that_it_asked_for(engine: EngineServer) -> None:
    with following(engine, 1) as follower:
        engine.buy(100, 5)
        result = engine.buy(101, 7, symbol=1)
        wait_until(lambda: follower.sees(result.sequence), "the second order")
        assert follower.symbols == {1}
        assert [book.bids for book in follower.books.all] == [{}, {101: 7}]


def test_an_unknown_symbol_is_refused_with_what_is_allowed(engine: EngineServer) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        list(MarketDataStub(engine.channel).Subscribe(md.SubscribeRequest(symbols=[2]), timeout=DEADLINE_S))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "symbols must be below 2"


def test_a_missing_update_is_seen() -> None:
    books = Books(SYMBOLS)
    books.apply(md.Events(snapshots=[md.Snapshot(symbol=1, sequence=7)]))
    books.apply(md.Events(updates=[md.Update(symbol=1, sequence=9, previous_sequence=7)]))
    with pytest.raises(GapError, match="CSCO: update 12 follows 11, the last known is 9"):
        books.apply(md.Events(updates=[md.Update(symbol=1, sequence=12, previous_sequence=11)]))


def cut_off(engine: EngineServer) -> int:
    page = httpx.get(f"http://127.0.0.1:{engine.events[-1]['metrics_port']}/metrics").text
    return int(float(re.findall(r"^engine_feed_cut_off_total (\S+)$", page, re.MULTILINE)[0]))


def test_who_does_not_read_is_cut_off_with_the_reason_while_another_gets_everything(start: Start) -> None:
    engine = start(subscriber_bytes=20_000)
    address = f"127.0.0.1:{engine.events[-1]['port']}"
    own_channel = grpc.insecure_channel(address, options=[("grpc.http2.bdp_probe", 0)])  # its window stays at 64 KiB
    idle = MarketDataStub(own_channel).Subscribe(md.SubscribeRequest(), wait_for_ready=True)
    assert next(iter(idle)).snapshots
    with following(engine) as reader:
        sent = 0
        while not cut_off(engine):
            trade_at_random(engine, sent, sent + 1, 500, per_message=64)
            sent += 500
            assert sent < 400_000, "nobody was cut off"
            last = engine.status().last_sequence
            wait_until(lambda last=last: reader.sees(last), f"everything up to {last}")
        assert_same_books(engine, reader.books)
        assert reader.ended is None
    with pytest.raises(grpc.RpcError) as cut:
        list(idle)
    assert cut.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "too slow" in cut.value.details()
    own_channel.close()


def test_a_stopping_engine_ends_its_subscribers(engine: EngineServer) -> None:
    with following(engine) as follower:
        assert engine.terminate() == 0
        wait_until(lambda: follower.ended is not None, "the stream's end")
        assert (follower.ended, follower.reason) == (grpc.StatusCode.UNAVAILABLE, "the engine stops")
