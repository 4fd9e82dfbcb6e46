"""What clients were told becomes the witness of the reconciliation; a silent witness puts every promise in doubt."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from deploy.install.engine import engine_dir
from loadgen.layout import TABLES
from loadgen.reconcile import ReplayError, replay, total, unreconciled, witness

OUTCOMES = ("ok", "timeout", "http_429", "http_503", "ok")
ACKS = pa.Table.from_pylist(
    [
        {"window": "w", "account": 1, "client_order_id": f"t-{n}", "kind": "new", "order_id": n, "sequence": n,
         "outcome": outcome, "intended_ns": 0, "sent_ns": 0, "answered_ns": 0}
        for n, outcome in enumerate(OUTCOMES, 1)
    ],
    schema=TABLES["acks"],
)  # fmt: skip


def test_promises_and_doubts_follow_from_the_outcomes() -> None:
    table = witness(ACKS)
    assert table["is_acknowledged"].to_pylist() == [True, False, False, False, True]
    assert table["is_in_doubt"].to_pylist() == [False, True, False, True, False]


def test_the_totals_are_sums_over_the_windows() -> None:
    one = {"acknowledged": 5, "lost": 0, "duplicated": 1, "holes": 0, "mismatched": 2, "in_doubt": 0, "resolved": 3}
    summed = total({"a": {**one, "differences": ["x"]}, "b": {**one, "differences": []}})
    assert {name: summed[name] for name in one} == {name: 2 * count for name, count in one.items()}
    assert summed["windows"]["a"]["differences"] == ["x"]


def test_without_a_witness_every_promise_is_in_doubt_and_the_reason_is_listed() -> None:
    document = unreconciled(ACKS, ReplayError("the journal is damaged at offset 12"))
    assert (document["acknowledged"], document["in_doubt"], document["lost"]) == (2, 2, 0)
    assert document["differences"] == ["not reconciled: ReplayError: the journal is damaged at offset 12"]


def test_a_journal_that_cannot_be_replayed_is_said_with_the_programs_words(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"engine-replay of .*nowhere ended with code"):
        replay(engine_dir() / "engine-replay", tmp_path / "nowhere", tmp_path / "results", tmp_path / "books")
