"""The bench of overload: its figures from tries made by hand, and its smallest size on a live cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgen.bench.overload import Size, figures, measure
from loadgen.bench.retrying import Phase, Try


def tries(phase: Phase, per_s: int, latency_s: float, status: int = 201) -> list[Try]:
    count = int(per_s * (phase.ended_s - phase.began_s))
    moments = [phase.began_s + n / per_s - latency_s for n in range(count)]
    return [Try(moment, moment, moment + latency_s, status) for moment in moments]


def test_the_overload_is_compared_with_the_best_that_was_seen_and_its_end_with_the_base() -> None:
    base, peak, overload, after = Phase(300, 0, 4), Phase(500, 4, 8), Phase(2000, 8, 12), Phase(300, 12, 16)
    found = figures(
        [base, peak, overload, after],
        [
            *tries(base, 300, 0.010),
            *tries(peak, 500, 0.030),
            *tries(overload, 450, 0.045),
            *tries(overload, 1_500, 0.001, 429),
            *tries(Phase(300, 12, 14), 300, 0.021),
            *tries(Phase(300, 14, 16), 300, 0.011),
        ],
    )
    assert (found["peak_per_s"], found["overload_goodput_per_s"], found["goodput_of_peak"]) == (500, 450, 0.9)
    assert (found["peak_p99_ms"], found["overload_p99_ms"], found["p99_of_peak"]) == (30.0, 45.0, 1.5)
    assert found["recovery_s"] == 2.0
    assert set(found["answers"]) == {"201", "429"}


@pytest.mark.slow
def test_under_both_ways_of_refusing_every_request_gets_an_answer_that_says_yes_or_when_to_come_back(
    tmp_path: Path,
) -> None:
    found = measure(Size(seconds_each=0.3, overload_s=2.0), tmp_path / "cluster", lambda _: None)
    assert found.keys() == {"throttle", "shed"}
    unsent = "0"  # a busy machine may leave these clients no connection
    assert found["throttle"]["answers"].keys() <= {"201", "429", "503", unsent}
    assert found["shed"]["answers"].keys() <= {"201", "503", unsent}
    assert all(way["answers"]["201"] > 0 for way in found.values())
    assert "429" in found["throttle"]["answers"]
    assert "503" in found["shed"]["answers"]
