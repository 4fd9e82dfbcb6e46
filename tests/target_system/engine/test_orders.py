"""What a client of the engine sees of matching: each order type, each reason, over gRPC."""

from __future__ import annotations

import grpc
import pytest

from target_system.proto import engine_pb2 as pb
from tests.target_system.engine.server import DEADLINE_S, EngineServer, new


def fills(result: pb.Result) -> list[tuple[int, int, int]]:
    """(maker's order id, price, quantity) of each fill."""
    return [(fill.maker_order_id, fill.price_ticks, fill.quantity_lots) for fill in result.fills]


def test_the_best_price_trades_first_and_among_equals_the_oldest_at_the_makers_price(engine: EngineServer) -> None:
    worse = engine.sell(101, 5)
    first = engine.sell(100, 5)
    second = engine.sell(100, 5)
    taker = engine.buy(102, 12, account=2)
    expected = [(first.order_id, 100, 5), (second.order_id, 100, 5), (worse.order_id, 101, 2)]
    assert fills(taker) == expected
    assert (taker.outcome, taker.filled_lots, [fill.trade_id for fill in taker.fills]) == (pb.FILLED, 12, [1, 2, 3])
    assert [(level.price_ticks, level.quantity_lots, level.orders) for level in engine.book().asks] == [(101, 3, 1)]


def test_the_remainder_of_a_limit_order_rests_at_its_price(engine: EngineServer) -> None:
    engine.sell(100, 5)
    taker = engine.buy(101, 8)
    assert (taker.outcome, taker.filled_lots, taker.resting_lots) == (pb.RESTING, 5, 3)
    assert taker.resting_price_ticks == 101
    assert [(level.price_ticks, level.quantity_lots) for level in engine.book().bids] == [(101, 3)]


def test_a_market_order_takes_what_there_is_and_never_rests(engine: EngineServer) -> None:
    engine.sell(100, 5)
    taker = engine.buy(0, 8, order_type=pb.MARKET)
    assert (taker.outcome, taker.reason, taker.filled_lots) == (pb.CANCELLED, pb.NO_LIQUIDITY, 5)
    assert taker.cancelled_lots == 3
    assert list(engine.book().bids) == []


def test_an_immediate_or_cancel_order_never_rests(engine: EngineServer) -> None:
    engine.sell(100, 5)
    taker = engine.buy(100, 8, time_in_force=pb.IOC)
    assert (taker.outcome, taker.reason, taker.filled_lots) == (pb.CANCELLED, pb.NO_LIQUIDITY, 5)
    assert list(engine.book().bids) == []


def test_fill_or_kill_takes_all_or_nothing(engine: EngineServer) -> None:
    engine.sell(100, 5)
    refused = engine.buy(100, 6, time_in_force=pb.FOK)
    assert (refused.outcome, refused.reason, fills(refused)) == (pb.REJECTED, pb.NOT_FILLABLE, [])
    assert engine.buy(100, 5, time_in_force=pb.FOK).outcome == pb.FILLED


def test_a_post_only_order_that_would_take_is_refused_or_slides_one_tick_behind(engine: EngineServer) -> None:
    engine.sell(100, 5)
    refused = engine.buy(100, 5, order_type=pb.POST_ONLY_REJECT)
    assert (refused.outcome, refused.reason) == (pb.REJECTED, pb.WOULD_TAKE)
    slid = engine.buy(105, 5, order_type=pb.POST_ONLY_SLIDE)
    assert (slid.outcome, slid.resting_price_ticks) == (pb.RESTING, 99)


@pytest.mark.parametrize(
    ("mode", "outcome", "cancelled", "removed", "left"),
    [
        (pb.STP_OFF, pb.FILLED, 0, [], 4),
        (pb.STP_CANCEL_NEWEST, pb.CANCELLED, 6, [], 10),
        (pb.STP_CANCEL_OLDEST, pb.RESTING, 0, [10], 0),
        (pb.STP_CANCEL_BOTH, pb.CANCELLED, 6, [10], 0),
        (pb.STP_DECREMENT, pb.CANCELLED, 6, [6], 4),
    ],
)
def test_an_account_does_not_trade_with_itself_if_it_asks_so(
    engine: EngineServer, mode: int, outcome: int, cancelled: int, removed: list[int], left: int
) -> None:
    engine.sell(100, 10)
    taker = engine.buy(100, 6, self_trade_prevention=mode)
    assert (taker.outcome, taker.cancelled_lots) == (outcome, cancelled)
    assert [removal.quantity_lots for removal in taker.removals] == removed
    assert sum(level.quantity_lots for level in engine.book().asks) == left


def test_a_cancel_takes_the_order_out_once_and_only_for_its_account(engine: EngineServer) -> None:
    order = engine.buy(100, 10)
    stranger = engine.cancel(order.order_id, account=2)
    assert (stranger.outcome, stranger.reason) == (pb.REJECTED, pb.NO_SUCH_ORDER)
    done = engine.cancel(order.order_id)
    assert (done.outcome, done.cancelled_lots, done.order_id) == (pb.CANCELLED, 10, order.order_id)
    assert engine.cancel(order.order_id).repeated_command
    assert engine.dump() == []


def replace(engine: EngineServer, order_id: int, price: int, quantity: int, name: str) -> pb.Result:
    return engine.submit(
        pb.Command(
            kind=pb.REPLACE,
            account=1,
            client_order_id=name,
            order_id=order_id,
            price_ticks=price,
            quantity_lots=quantity,
        )
    )


def test_a_replace_keeps_its_place_with_less_and_loses_it_with_more_or_another_price(engine: EngineServer) -> None:
    first, second = engine.buy(100, 10).order_id, engine.buy(100, 10).order_id
    assert replace(engine, first, 100, 4, "less").outcome == pb.REPLACED
    assert [order.order_id for order in engine.dump()] == [first, second]
    assert replace(engine, first, 100, 20, "more").outcome == pb.REPLACED
    assert [(order.order_id, order.quantity_lots) for order in engine.dump()] == [(second, 10), (first, 20)]
    assert replace(engine, first, 100, 20, "same").reason == pb.NOTHING_TO_REPLACE
    engine.sell(105, 5, account=2)
    crossed = replace(engine, second, 105, 8, "cross")
    assert (crossed.outcome, crossed.filled_lots, crossed.resting_lots) == (pb.REPLACED, 5, 3)


def test_a_mass_cancel_removes_the_accounts_orders_in_priority_order(engine: EngineServer) -> None:
    low, high = engine.buy(99, 1).order_id, engine.buy(100, 2).order_id
    other = engine.buy(101, 3, account=2).order_id
    elsewhere = engine.sell(300, 4, symbol=1).order_id
    one = engine.submit(pb.Command(kind=pb.MASS_CANCEL, account=1, client_order_id="m1", symbol=1, has_symbol=True))
    assert [(removal.order_id, removal.quantity_lots) for removal in one.removals] == [(elsewhere, 4)]
    rest = engine.submit(pb.Command(kind=pb.MASS_CANCEL, account=1, client_order_id="m2"))
    assert [removal.order_id for removal in rest.removals] == [high, low]
    assert (rest.outcome, rest.cancelled_lots) == (pb.DONE, 3)
    assert [order.order_id for order in engine.dump()] == [other]


def test_a_halted_symbol_refuses_new_orders_and_allows_cancels_until_it_resumes(engine: EngineServer) -> None:
    order = engine.buy(100, 10)
    engine.submit(pb.Command(kind=pb.HALT, account=9, client_order_id="h", symbol=0))
    assert engine.book().halted
    assert engine.buy(100, 1).reason == pb.SYMBOL_HALTED
    assert engine.cancel(order.order_id).outcome == pb.CANCELLED
    engine.submit(pb.Command(kind=pb.RESUME, account=9, client_order_id="r", symbol=0))
    assert engine.buy(100, 1).outcome == pb.RESTING


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"symbol": 2}, pb.UNKNOWN_SYMBOL),
        ({"price_ticks": 200_001}, pb.PRICE_OUT_OF_RANGE),
        ({"price_ticks": -5}, pb.PRICE_OUT_OF_RANGE),
        ({"quantity_lots": 0}, pb.QUANTITY_OUT_OF_RANGE),
        ({"quantity_lots": 1 << 40}, pb.QUANTITY_OUT_OF_RANGE),
    ],
)
def test_what_the_books_cannot_hold_is_rejected_with_its_reason_and_a_sequence_number(
    engine: EngineServer, fields: dict[str, int], reason: int
) -> None:
    command = new(pb.BUY, 100, 10, "x")
    for name, value in fields.items():
        setattr(command, name, value)
    result = engine.submit(command)
    assert (result.outcome, result.reason, result.sequence) == (pb.REJECTED, reason, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"client_order_id": ""},
        {"client_order_id": "x" * 37},
        {"client_order_id": "tab\t"},
        {"side": pb.SIDE_UNSPECIFIED},
        {"order_type": pb.ORDER_TYPE_UNSPECIFIED},
        {"order_type": pb.MARKET},
        {"order_type": pb.POST_ONLY_REJECT, "time_in_force": pb.IOC},
        {"kind": pb.KIND_UNSPECIFIED},
        {"kind": pb.CANCEL},
    ],
)
def test_a_malformed_command_is_not_sequenced(engine: EngineServer, fields: dict[str, object]) -> None:
    command = new(pb.BUY, 100, 10, "x", request=7)
    for name, value in fields.items():
        setattr(command, name, value)
    result = engine.submit(command)
    assert (result.outcome, result.reason, result.sequence) == (pb.NOT_SEQUENCED, pb.MALFORMED, 0)
    assert result.request == 7
    assert engine.status().last_sequence == 0


def test_the_order_limit_refuses_what_would_rest_and_lets_the_rest_trade(start: object) -> None:
    engine = start(max_orders=2)  # type: ignore[operator]
    engine.sell(100, 5)
    engine.sell(101, 5)
    assert engine.buy(99, 1).reason == pb.ORDER_LIMIT_REACHED
    assert engine.buy(100, 5).outcome == pb.FILLED
    assert engine.buy(99, 1).outcome == pb.RESTING


def test_a_message_that_is_no_batch_ends_the_stream_with_invalid_argument(engine: EngineServer) -> None:
    raw = engine.channel.stream_stream("/lab.engine.v1.Engine/Stream")
    with pytest.raises(grpc.RpcError) as failure:
        list(raw(iter([b"\x0a\xff\xff"]), timeout=DEADLINE_S))
    assert failure.value.code() == grpc.StatusCode.INVALID_ARGUMENT
