"""The notebooks (jupytext's percent format) are plain Python: executed whole, on golden runs."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "analysis" / "notebooks"


def executed(name: str, run: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("RUN", str(ROOT / "tests" / "golden" / run))
    return runpy.run_path(str(NOTEBOOKS / f"{name}.py"))


def test_scaling_laws_meet_the_published_peak_and_show_how_far_extrapolation_misses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = executed("scaling_laws", "gateway-bound", monkeypatch)
    assert left["sdm"].peak_n == pytest.approx(96.51956, abs=1e-3)  # type: ignore[attr-defined]
    assert left["misses"] == pytest.approx({8: 0.33, 12: -0.17, 16: -0.18, 20: -0.13, 24: 0.04}, abs=0.01)
    assert len(left["steps"]) == 1  # type: ignore[arg-type]


def test_the_write_ceiling_ends_in_the_runs_own_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    left = executed("write_ceiling", "gateway-bound", monkeypatch)
    assert left["found"].limit == "gateway"  # type: ignore[attr-defined]
    assert "configurations" in str(left["refused"])


def test_users_who_wait_see_less_of_an_outage_than_was_due_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    left = executed("coordinated_omission", "gateway-killed", monkeypatch)
    met, seen, closed = left["met"], left["seen"], left["closed"]
    assert met["due"] > met["waiting"]  # type: ignore[index]
    assert seen[99.9] > closed[50.0]  # type: ignore[index]


def test_the_trace_of_the_slowest_order_names_the_span_that_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    left = executed("reading_a_trace", "gateway-killed", monkeypatch)
    told = left["told"]
    assert sum(step.critical_ns for step in told.steps) == told.duration_ns  # type: ignore[attr-defined]
    assert left["suspect"] in {step.name for step in told.steps}  # type: ignore[attr-defined]
