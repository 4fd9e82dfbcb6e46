"""How often comparisons cry wolf and how often they find a tenth, counted on halves of runs that are alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis import trials as judged
from analysis.change import ComparisonError
from analysis.trials import pooled, trials, values
from loadgen.record import Run
from tests.loadgen.synthetic import write_run


def runs_alike(spread: float, count: int = 24) -> dict[str, np.ndarray]:
    noise = np.random.default_rng(3).normal(0, spread, count)
    return {"throughput": 400 * np.exp(noise), "p50": 80 * np.exp(-noise), "p99": 190 * np.exp(-noise)}


def test_runs_that_spread_little_show_a_tenth_and_seldom_a_false_alarm() -> None:
    outcome = trials(runs_alike(0.04), 200)
    assert (outcome.runs, outcome.trials) == (24, 200)
    assert outcome.aa_false_alarms <= 0.05
    assert outcome.found_10_percent >= 0.9


def test_runs_that_spread_much_do_not_show_a_tenth_and_cry_wolf_no_oftener() -> None:
    outcome = trials(runs_alike(0.2), 200)
    assert outcome.found_10_percent < 0.5
    assert outcome.aa_false_alarms <= 0.05


def test_a_run_is_pooled_by_its_figures(tmp_path: Path) -> None:
    runs = [Run.open(write_run(tmp_path / str(n), {1: 20 + n}, run_id=f"r{n}", seed=n)) for n in (1, 2)]
    document = pooled(runs)
    assert [row["run"] for row in document["runs"]] == ["r1", "r2"]
    assert values(document)["throughput"] == [21.0, 22.0]


def test_a_disturbed_run_is_not_pooled(tmp_path: Path) -> None:
    runs = [Run.open(write_run(tmp_path / state, {1: 20}, status=state)) for state in ("complete", "aborted")]
    with pytest.raises(ComparisonError, match="is aborted"):
        pooled(runs)


def test_without_runs_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(judged, "POOL", tmp_path / "none.json")
    with pytest.raises(ComparisonError, match=r"run loadgen/campaigns/alike.yaml 24 times"):
        judged.kept()
