"""From what a client asks for to the engine's command, identity included. Pure.

The identity (account, client order id) makes every command repeatable. Where the client names none, its target does: a
cancel is known by its order, the end of a session by the session. Such identities begin with `~`, which no client may.
"""

from __future__ import annotations

from target_system.gateway.validation import MassCancel, NewOrder, Replacement
from target_system.ledger.rows import Symbols
from target_system.orders import (
    OrderType,
    PostOnly,
    SelfTradePrevention,
    Side,
    TimeInForce,
    cancel_identity,
    disconnect_identity,
    kill_identity,
)
from target_system.proto import engine_pb2 as pb

SIDE = {Side.BUY: pb.BUY, Side.SELL: pb.SELL}
TYPE = {
    (OrderType.LIMIT, None): pb.LIMIT,
    (OrderType.MARKET, None): pb.MARKET,
    (OrderType.LIMIT, PostOnly.REJECT): pb.POST_ONLY_REJECT,
    (OrderType.LIMIT, PostOnly.SLIDE): pb.POST_ONLY_SLIDE,
}
TIME_IN_FORCE = {TimeInForce.GTC: pb.GTC, TimeInForce.IOC: pb.IOC, TimeInForce.FOK: pb.FOK}
SELF_TRADE = {
    SelfTradePrevention.OFF: pb.STP_OFF,
    SelfTradePrevention.CANCEL_NEWEST: pb.STP_CANCEL_NEWEST,
    SelfTradePrevention.CANCEL_OLDEST: pb.STP_CANCEL_OLDEST,
    SelfTradePrevention.CANCEL_BOTH: pb.STP_CANCEL_BOTH,
    SelfTradePrevention.DECREMENT: pb.STP_DECREMENT,
}


def new_order(account: int, order: NewOrder, symbols: Symbols) -> pb.Command:
    return pb.Command(
        kind=pb.NEW, account=account, client_order_id=order.client_order_id, side=SIDE[order.side],
        symbol=symbols.indices[order.symbol], order_type=TYPE[order.type, order.post_only],
        time_in_force=TIME_IN_FORCE[order.time_in_force],
        self_trade_prevention=SELF_TRADE[order.self_trade_prevention], price_ticks=order.price_ticks or 0,
        quantity_lots=order.quantity_lots,
    )  # fmt: skip


def replace(account: int, order_id: int, given: Replacement, symbols: Symbols) -> pb.Command:
    return pb.Command(
        kind=pb.REPLACE, account=account, client_order_id=given.client_order_id, order_id=order_id,
        side=SIDE[given.side], symbol=symbols.indices[given.symbol], order_type=TYPE[OrderType.LIMIT, given.post_only],
        self_trade_prevention=SELF_TRADE[given.self_trade_prevention], price_ticks=given.price_ticks,
        quantity_lots=given.quantity_lots,
    )  # fmt: skip


def cancel(account: int, order_id: int) -> pb.Command:
    return pb.Command(kind=pb.CANCEL, account=account, client_order_id=cancel_identity(order_id), order_id=order_id)


def mass_cancel(account: int, given: MassCancel, symbols: Symbols) -> pb.Command:
    command = pb.Command(kind=pb.MASS_CANCEL, account=account, client_order_id=given.client_order_id)
    if given.symbol is not None:
        command.has_symbol, command.symbol = True, symbols.indices[given.symbol]
    return command


def disconnect(account: int, session: int) -> pb.Command:
    return pb.Command(kind=pb.MASS_CANCEL, account=account, client_order_id=disconnect_identity(session))


def halt(operator: int, symbol: str, name: str, symbols: Symbols) -> pb.Command:
    return pb.Command(kind=pb.HALT, account=operator, client_order_id=name, symbol=symbols.indices[symbol])


def resume(operator: int, symbol: str, name: str, symbols: Symbols) -> pb.Command:
    return pb.Command(kind=pb.RESUME, account=operator, client_order_id=name, symbol=symbols.indices[symbol])


def kill(account: int, name: str) -> pb.Command:
    return pb.Command(kind=pb.KILL, account=account, client_order_id=kill_identity(name))


def lift(account: int, name: str) -> pb.Command:
    return pb.Command(kind=pb.LIFT, account=account, client_order_id=kill_identity(name))
