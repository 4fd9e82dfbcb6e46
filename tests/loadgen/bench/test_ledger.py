"""The smallest size of the ledger's bench."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgen.bench.ledger import Size, measure


def test_each_way_of_writing_takes_its_turn_and_commits_orders(tmp_path: Path) -> None:
    said: list[str] = []
    figures = measure(Size(rounds=1, seconds_each=1), tmp_path / "cluster", said.append)
    assert sorted(line.split(":")[0] for line in said) == ["group", "per_order", "pgbench"]
    assert all(figures[f"{way}_per_s"] > 0 for way in ("per_order", "group", "pgbench"))
    assert figures["ratio"] == pytest.approx(figures["group_per_s"] / figures["per_order_per_s"], rel=0.01)
