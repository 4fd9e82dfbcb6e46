"""The smallest size of the stall's bench: what the open loop says is what arithmetic says; a closed loop misses it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from loadgen.bench import stall
from loadgen.noise import NoiseMeter

DURATION_S = 5.0
ATTEMPTS_MAX = 4
BUSY_MAX = 0.8
"""Of the machine, which this load leaves idle for the most part: one that others fill says nothing where it fails."""


def test_under_a_stall_the_open_loops_quantiles_are_the_true_ones_and_a_closed_loop_hides_them(tmp_path: Path) -> None:
    for _ in range(ATTEMPTS_MAX):
        with NoiseMeter(time.time_ns(), time.time_ns() + 60 * 10**9, tmp_path / "log") as meter:
            seen = stall.see(DURATION_S, None)
        rows = {row["percentile"]: row for row in stall.figures(seen, DURATION_S)["quantiles"]}
        is_true = (
            rows[95.0]["open_ms"] == pytest.approx(750, rel=0.05),
            rows[99.0]["open_ms"] == pytest.approx(950, rel=0.05),
            rows[95.0]["closed_ms"] < 375,
        )
        if all(is_true) or meter.noise.host_busy_share <= BUSY_MAX:
            break
    assert rows[95.0]["analytic_ms"] == pytest.approx(750)
    assert is_true == (True, True, True), rows


def test_the_true_quantile_is_nothing_below_the_share_that_was_stalled_and_the_whole_stall_at_the_end() -> None:
    assert [stall.analytic_s(percent, 10.0) for percent in (50, 90, 95, 100)] == pytest.approx([0, 0, 0.5, 1.0])
