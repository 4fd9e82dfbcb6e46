"""The rows of a command, and the shard that keeps them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from target_system.ledger.rows import Symbols, entry_of
from target_system.proto import engine_pb2 as pb


def test_a_fill_moves_lots_and_cash_between_the_two_accounts() -> None:
    command = pb.Command(kind=pb.NEW, account=1, client_order_id="a", symbol=1, side=pb.SELL, quantity_lots=5)
    result = pb.Result(sequence=9, order_id=9, outcome=pb.FILLED, filled_lots=5)
    result.fills.add(trade_id=4, maker_order_id=3, maker_account=2, price_ticks=10, quantity_lots=5)
    entry = entry_of(command, result, Symbols(("A", "B"), 1))
    assert entry.deltas == ((1, "B", -5, 50), (2, "B", 5, -50))
    assert entry.trades == ((4, 9, 3, 10, 5, 1, 2, pb.SELL, "B"),)


def test_a_cancel_names_no_symbol() -> None:
    command = pb.Command(kind=pb.CANCEL, account=1, client_order_id="~c7", order_id=7)
    entry = entry_of(command, pb.Result(sequence=9, order_id=7), Symbols(("A", "B"), 1))
    assert entry.row[-1] is None


@given(st.sets(st.text("ABCXYZ", min_size=1, max_size=4), min_size=1, max_size=30), st.integers(1, 8))
def test_shards_are_runs_of_the_alphabet_of_nearly_equal_length(names: set[str], shards: int) -> None:
    symbols = Symbols(tuple(names), shards)
    placed = [symbols.shard_of(name, 0) for name in sorted(names)]
    sizes = [placed.count(shard) for shard in range(shards)]
    assert placed == sorted(placed)
    assert max(sizes) - min(sizes) <= 1
