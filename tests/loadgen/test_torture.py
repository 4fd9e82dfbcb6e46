"""Parts of the order path are struck under load, and every promise is found kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.topology import Topology
from loadgen.torture import Means, strikes, targets, torture

PARTS = targets(Topology().with_overrides({"market_data.replicas": 1, "history.replicas": 1}))


def test_strikes_are_the_same_for_the_same_seed_and_reach_every_part() -> None:
    planned = list(strikes(7, 60, PARTS))
    assert planned == list(strikes(7, 60, PARTS)) != list(strikes(8, 60, PARTS))
    assert {blow.part for blow in planned} == set(PARTS)
    assert {blow.means for blow in planned} == set(Means)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_promise_is_broken_by_kills_and_freezes(tmp_path: Path) -> None:
    outcome = torture(8, 7, tmp_path / "cluster", tmp_path, lambda _: None)
    assert outcome.differences == []
    assert outcome.kept
    assert outcome.cycles == 8
    assert outcome.totals["acknowledged"] > 100
    broken = ("lost", "duplicated", "holes", "mismatched", "in_doubt")
    assert {name: outcome.totals[name] for name in broken} == dict.fromkeys(broken, 0)
