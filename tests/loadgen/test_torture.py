"""Parts of the order path are struck under load, and every promise is found kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.topology import Topology
from loadgen.crash_points import CRASH_POINTS, hit_all
from loadgen.siege import Outcome
from loadgen.torture import specials, strikes, targets, torture

KINDS_OF_SPECIALS = ["freeze", "disk_full", "redis_flush", "reset", "reset"]
TOPOLOGY = Topology().with_overrides(
    {
        "links": ["gateway-ledger", "haproxy-gateway"],
        "ledger.disk_faults": True,
        "gateways": 2,
        "market_data.replicas": 1,
        "history.replicas": 1,
    }
)


def kinds(planned: object) -> list[str]:
    return [str(blow).partition(" ")[0] for blow in planned]  # type: ignore[attr-defined]


def test_strikes_are_the_same_for_the_same_seed_and_reach_everything() -> None:
    planned = list(strikes(7, 120, TOPOLOGY))
    assert planned == list(strikes(7, 120, TOPOLOGY)) != list(strikes(8, 120, TOPOLOGY))
    assert {blow.part for blow in planned} == set(targets(TOPOLOGY))
    assert set(kinds(planned)) == {"kill", *KINDS_OF_SPECIALS}
    assert {blow.component for blow in planned} == {
        "gateway", "ledger", "engine", "redis", "haproxy", "settler", "network", "market-data", "history",
    }  # fmt: skip


def test_a_topology_without_links_and_disk_faults_gets_the_other_strikes() -> None:
    assert kinds(specials(TOPOLOGY)) == KINDS_OF_SPECIALS
    assert kinds(specials(Topology())) == ["freeze", "redis_flush"]


def broken(outcome: Outcome) -> list[str]:
    """Of all promises, those not kept, in words; that there were promises is asserted too."""
    assert outcome.totals["acknowledged"] > 100
    counted = [f"{outcome.totals[n]} {n}" for n in ("lost", "duplicated", "holes", "mismatched", "in_doubt")]
    return outcome.differences + [count for count in counted if not count.startswith("0 ")]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_promise_is_broken_by_what_strikes_the_path(tmp_path: Path) -> None:
    outcome = torture(8, 7, tmp_path / "cluster", tmp_path, lambda _: None)
    assert broken(outcome) == []
    assert outcome.cycles == 8
    assert outcome.document()["recovery_s"].keys() == {blow.component for blow in strikes(7, 8, TOPOLOGY)}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_promise_is_broken_by_a_crash_after_any_step_of_the_path(tmp_path: Path) -> None:
    outcome = hit_all(1, tmp_path / "cluster", tmp_path, lambda _: None)
    assert broken(outcome) == []
    assert [outcome.struck[str(point)] > 0 for point in CRASH_POINTS] == [True] * 8
