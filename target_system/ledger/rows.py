"""From the engine's words to the ledger's rows and to Redis's deltas. Pure, no I/O.

A command with its result gives one row of `commands`, one row of `trades` for each fill, and for each fill four numbers
to add in Redis: lots and cash of the taker and of the maker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from target_system.ledger.cut import shards_of
from target_system.proto import engine_pb2 as pb

COMMAND_COLUMNS = (
    "sequence", "order_id", "price_ticks", "quantity_lots", "filled_lots", "resting_lots", "cancelled_lots",
    "received_ns", "account", "kind", "side", "order_type", "time_in_force", "self_trade_prevention", "outcome",
    "reason", "client_order_id", "symbol", "removals",
)  # fmt: skip
TRADE_COLUMNS = (
    "trade_id", "taker_order_id", "maker_order_id", "price_ticks", "quantity_lots", "taker_account", "maker_account",
    "taker_side", "symbol",
)  # fmt: skip

NAMES_SYMBOL = frozenset((pb.NEW, pb.REPLACE, pb.HALT, pb.RESUME))

Delta = tuple[int, str, int, int]
"""Account, symbol, lots to add, cash (ticks × lots) to add."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One sequenced command as every store is told of it."""

    sequence: int
    shard: int
    row: tuple[object, ...]
    """In the order of COMMAND_COLUMNS."""
    trades: tuple[tuple[object, ...], ...]
    """In the order of TRADE_COLUMNS."""
    deltas: tuple[Delta, ...]


class Symbols:
    """The engine's table of symbols, and the one place that says which shard keeps what.

    Each shard has its symbols (`cut`). A command that names no symbol (a cancel) lies where its order id says; whoever
    inserts it comes to the same shard.
    """

    def __init__(self, names: Sequence[str], shards: int) -> None:
        self.names = tuple(names)
        self.indices = {name: index for index, name in enumerate(names)}
        self._shard_of = shards_of(names, shards)
        self._shards = shards

    def shard_of(self, symbol: str | None, order_id: int) -> int:
        return order_id % self._shards if symbol is None else self._shard_of[symbol]

    def name_in(self, command: pb.Command) -> str | None:
        names_one = command.kind in NAMES_SYMBOL or (command.kind == pb.MASS_CANCEL and command.has_symbol)
        return self.names[command.symbol] if names_one and command.symbol < len(self.names) else None


def removals_of(result: pb.Result) -> str | None:
    """Order id → lots as JSON, ids in ascending order; None where there are none, as nearly always."""
    if not result.removals:
        return None
    lots = {removal.order_id: removal.quantity_lots for removal in result.removals}
    return "{" + ",".join(f'"{order_id}":{lots[order_id]}' for order_id in sorted(lots)) + "}"


def entry_of(command: pb.Command, result: pb.Result, symbols: Symbols) -> Entry:
    """What the stores keep of a sequenced command. Deterministic: whoever writes it writes the same."""
    symbol = symbols.name_in(command)
    sequence, order_id, side, account = result.sequence, result.order_id, command.side, command.account
    row = (
        sequence, order_id, command.price_ticks, command.quantity_lots, result.filled_lots, result.resting_lots,
        result.cancelled_lots, command.received_ns, account, command.kind, side, command.order_type,
        command.time_in_force, command.self_trade_prevention, result.outcome, result.reason, command.client_order_id,
        symbol, removals_of(result),
    )  # fmt: skip
    shard = symbols.shard_of(symbol, order_id)
    if not result.fills or symbol is None:
        return Entry(sequence, shard, row, (), ())
    trades = []
    deltas: list[Delta] = []
    sign = 1 if side == pb.BUY else -1
    for fill in result.fills:
        price, lots, maker = fill.price_ticks, fill.quantity_lots, fill.maker_account
        trades.append((fill.trade_id, order_id, fill.maker_order_id, price, lots, account, maker, side, symbol))
        deltas.append((account, symbol, sign * lots, -sign * lots * price))
        deltas.append((maker, symbol, -sign * lots, sign * lots * price))
    return Entry(sequence, shard, row, tuple(trades), tuple(deltas))
