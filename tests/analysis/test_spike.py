"""The queue of a spike is gone when arithmetic says so; what never drains is said, and no queue is gone at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.bottleneck import verdict
from analysis.spike import Drain, drain, spikes
from loadgen.record import Run
from reports.closing import closing_lines, document
from reports.content import content
from reports.html import render
from tests.loadgen.synthetic import write_run

CALM_PER_S, PEAK_PER_S, AT_S, FOR_S, END_S = 200, 1_000, 2.0, 1.0, 10.0


def waited(capacity_per_s: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """When requests were due (s), and how long each took (ms): some 5 ms, and the queue of a server before it."""
    draw = np.random.default_rng(seed)
    edges = ((0.0, AT_S, CALM_PER_S), (AT_S, AT_S + FOR_S, PEAK_PER_S), (AT_S + FOR_S, END_S, CALM_PER_S))
    due = np.concatenate([np.arange(start, end, 1 / rate) for start, end, rate in edges])
    free, waits = 0.0, []
    for moment in due:
        free = max(free, moment) + 1 / capacity_per_s
        waits.append(free - moment - 1 / capacity_per_s)
    return due, 1e3 * np.array(waits) + 5 * draw.lognormal(0, 0.2, len(due))


def of(capacity_per_s: float) -> Drain:
    found = drain(*waited(capacity_per_s), AT_S, AT_S + FOR_S, END_S)
    assert found is not None
    return found


@pytest.mark.parametrize(("capacity_per_s", "gone_s"), [(600, 1.0), (400, 3.0), (1_200, 0.0)])
def test_a_queue_is_gone_when_what_was_left_over_is_worked_off(capacity_per_s: float, gone_s: float) -> None:
    """(peak - capacity) x its length are left, and (capacity - calm) a second are worked off."""
    assert of(capacity_per_s).gone_s == pytest.approx(gone_s, abs=0.25)


def test_the_longest_wait_is_that_of_who_came_last() -> None:
    """400 are left, at 600 a second."""
    assert of(600).longest_ms == pytest.approx(667, rel=0.15)


def test_a_queue_that_outlasts_the_window_is_never_gone() -> None:
    assert of(220).gone_s is None


def test_what_is_refused_after_the_spike_is_not_calm() -> None:
    due, took = waited(1_200)
    took[(due > AT_S + FOR_S) & (due < AT_S + FOR_S + 2)] = np.inf
    found = drain(due, took, AT_S, AT_S + FOR_S, END_S)
    assert found is not None
    assert (found.gone_s, found.longest_ms) == (2.0, np.inf)


def test_without_calm_before_it_or_time_after_it_nothing_is_said() -> None:
    assert drain(*waited(600), 0.1, 1.1, END_S) is None
    assert drain(*waited(600), AT_S, END_S, END_S) is None
    due, took = waited(600)
    assert drain(due, np.where(due < 0.5, np.inf, took), AT_S, AT_S + FOR_S, END_S) is None


def test_a_run_of_spikes_says_it_for_each_repetition_on_the_page_and_to_programs(tmp_path: Path) -> None:
    run = Run.open(write_run(tmp_path, {1: 20}, repetitions=3, planned_per_s=200.0))
    assert (spikes(run), document(run, verdict(run))["spikes"]) == ([], [])
    run = Run.open(run.path)
    rows = []
    for window, capacity_per_s in zip(run.windows, (600, 600, 400), strict=True):
        due, took = waited(capacity_per_s)
        intended = window.measured_from_ns + (1e9 * due).astype(np.int64)
        rows.append(pd.DataFrame({
            "window": window.name, "kind": "new", "outcome": "ok", "intended_ns": intended, "sent_ns": intended,
            "answered_ns": intended + (1e6 * took).astype(np.int64),
        }))  # fmt: skip
    run.__dict__["acks"] = pd.concat(rows)
    arrivals = {"kind": "spike", "rate_per_s": CALM_PER_S, "peak_per_s": PEAK_PER_S, "at_s": AT_S, "for_s": FOR_S}
    run.campaign["load"]["arrivals"] = arrivals
    assert document(run, verdict(run))["spikes"] == [{"configuration": "gateways=1", "gone_s": [1.0, 1.0, 3.0]}]
    (row,) = content(run, verdict(run))["spikes"]
    assert row["gone_s"]["value"] == pytest.approx(5 / 3)
    assert row["gone_s"]["low"] < 1 < 3 < row["gone_s"]["high"]
    assert "How soon the queue of a spike is gone" in render(content(run, verdict(run)))
    assert "Queue of the spike gone after its end (1 gateway): 1.00 s, 1.00 s, 3.00 s" in closing_lines(
        run, verdict(run), Path("r")
    )
