"""The smallest size of the generator's bench."""

from __future__ import annotations

import pytest

from loadgen.bench.client import Size, measure


def test_both_clients_are_measured_against_the_same_server_and_the_open_loop_keeps_its_schedule() -> None:
    figures = measure(Size(rounds=1, seconds_each=2))
    assert set(figures) == {"fasthttpuser_per_s", "ours_per_s", "ratio", "schedule_error_p99_ms"}
    assert figures["ratio"] == pytest.approx(figures["ours_per_s"] / figures["fasthttpuser_per_s"], rel=0.01)
    assert figures["fasthttpuser_per_s"] > 0
    assert figures["schedule_error_p99_ms"] > 0
