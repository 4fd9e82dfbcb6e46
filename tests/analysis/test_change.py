"""A comparison finds what changed, keeps quiet where nothing did, says what it could have seen, refuses the unlike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.change import Change, ComparisonError, changes, compare, unlike
from loadgen.record import Run
from tests.loadgen.synthetic import MACHINE, write_run


def figures(rate: float, spread: float = 0.03, repetitions: int = 12, seed: int = 1) -> dict[str, np.ndarray]:
    noise = np.random.default_rng(seed).normal(0, spread, repetitions)
    return {"throughput": rate * np.exp(noise), "p50": 1e4 / rate * np.exp(-noise), "p99": 4e4 / rate * np.exp(-noise)}


def by_measure(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> dict[str, Change]:
    return {change.measure: change for change in changes("base", before, after, 0.05 / 3)}


def test_a_tenth_less_throughput_is_found_and_called_worse() -> None:
    found = by_measure(figures(1000), figures(900, seed=2))
    assert [change.verdict for change in found.values()] == ["worse", "worse", "worse"]
    assert found["throughput"].interval.low < 0.9 < found["throughput"].interval.high < 1


def test_more_throughput_is_better_and_shorter_latencies_are_too() -> None:
    assert {change.verdict for change in by_measure(figures(900), figures(1000, seed=2)).values()} == {"better"}


def test_where_nothing_changed_nothing_is_found() -> None:
    assert {change.verdict for change in by_measure(figures(1000), figures(1000, seed=2)).values()} == {
        "no change found"
    }


def test_a_wide_spread_sees_less_and_asks_for_more_repetitions() -> None:
    narrow, wide = (by_measure(figures(1000, s), figures(1000, s, seed=2))["throughput"] for s in (0.02, 0.2))
    assert narrow.smallest < 0.05 < 0.2 < wide.smallest
    assert narrow.repetitions_for == 6 < 40 < wide.repetitions_for


def run(folder: Path, rate: float = 20, **more: Any) -> Run:
    return Run.open(write_run(folder, {1: rate}, repetitions=more.pop("repetitions", 6), **more))


def test_two_runs_are_compared_by_their_repetitions(tmp_path: Path) -> None:
    found = compare(run(tmp_path / "a"), run(tmp_path / "b", 16, seed=2))
    assert [(change.configuration, change.measure) for change in found] == [
        ("gateways=1", "throughput"), ("gateways=1", "p50"), ("gateways=1", "p99"),
    ]  # fmt: skip
    assert found[0].ratio == pytest.approx(0.8)
    assert (found[0].verdict, found[1].verdict) == ("worse", "no change found")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"machine": replace(MACHINE, cores=4)}, "4 × Synthetic 1 GHz"),
        (
            {"machine": replace(MACHINE, quotas="not applied, a test")},
            "CPU quotas: cgroup v1, .* CPU quotas: not applied",
        ),
        ({"machine": replace(MACHINE, disk="tmpfs on tmpfs")}, "disk synthetic ssd, .* disk tmpfs on tmpfs"),
        ({"status": "aborted"}, "is aborted"),
        ({"repetitions": 5}, "has 5 repetitions; 6 are the least"),
    ],
)
def test_the_unlike_is_refused_unless_told(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    one, other = run(tmp_path / "a"), run(tmp_path / "b", **given)
    with pytest.raises(ComparisonError, match=said):
        compare(one, other)
    assert len(compare(one, other, anyway=True)) == 3


def test_two_repetitions_are_compared_only_when_told_and_then_see_little(tmp_path: Path) -> None:
    one, other = run(tmp_path / "a", repetitions=2), run(tmp_path / "b", 16, repetitions=2, seed=2)
    with pytest.raises(ComparisonError, match="2 repetitions; 6 are the least"):
        compare(one, other)
    found = {change.measure: change for change in compare(one, other, anyway=True)}
    assert "Welch's t over 2 and 2 repetitions" in found["p99"].interval.method
    assert found["p99"].interval.low < 1 < found["p99"].interval.high


def test_quotas_that_are_not_applied_are_alike_whatever_file_said_so(tmp_path: Path) -> None:
    one, other = (
        run(tmp_path / name, machine=replace(MACHINE, quotas=f"not applied, cgroup v1 refuses: no (/{name}/trial)"))
        for name in ("a", "b")
    )
    assert unlike(one, other) == []


def test_how_fast_the_disk_synced_and_how_much_memory_there_was_make_no_other_machine(tmp_path: Path) -> None:
    luckier = replace(MACHINE, fsync_per_s={"fdatasync": 300.0}, memory_bytes=2**30)
    assert unlike(run(tmp_path / "a"), run(tmp_path / "b", machine=luckier)) == []


def test_what_older_campaigns_did_not_have_yet_makes_no_difference_where_it_asks_for_nothing(tmp_path: Path) -> None:
    older, newer = run(tmp_path / "a"), run(tmp_path / "b", seed=2)
    nothing = {**newer.campaign["load"], "hosts": [], "watchers": {"kind": "none", "clients": 20}}
    newer.__dict__["campaign"] = {**newer.campaign, "load": nothing}
    assert unlike(older, newer) == []
    newer.campaign["load"]["hosts"] = ["h1:lab"]
    assert any("differ in load" in fault for fault in unlike(older, newer))


def test_one_repetition_is_never_compared(tmp_path: Path) -> None:
    with pytest.raises(ComparisonError, match="one repetition has no spread"):
        compare(run(tmp_path / "a", repetitions=1), run(tmp_path / "b"), anyway=True)


def test_other_campaigns_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = run(tmp_path / "a"), run(tmp_path / "b")
    monkeypatch.setitem(other.campaign, "load", {"users": 80})
    with pytest.raises(ComparisonError, match="campaigns that differ in load"):
        compare(one, other)
