"""A short generator or a noisy machine disqualifies a window; a slow system never does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loadgen.noise import Noise
from loadgen.receipts import ROW
from loadgen.validity import Conditions, MeasuredPart, conditions, reasons

HEALTHY = Conditions(
    generator_cpu_cores=0.2, generator_allotment_cores=0.4, lateness_p99_ns=200_000, latency_p99_ns=30_000_000,
    steal_share=0.001, hiccup_p99_9_ns=4_000_000,
)  # fmt: skip


def test_a_healthy_window_is_valid() -> None:
    assert reasons("w", HEALTHY) == []


def test_a_slow_system_is_not_taken_for_a_slow_generator() -> None:
    assert reasons("w", replace(HEALTHY, latency_p99_ns=9_000_000_000, generator_cpu_cores=0.01)) == []


@pytest.mark.parametrize(
    ("change", "blames", "said"),
    [
        ({"generator_cpu_cores": 0.36}, "generator", "used 90% of its 0.4 cores"),
        ({"generator_cpu_cores": 0.35, "generator_allotment_cores": 0.35}, "generator", "used 100% of its 0.35 cores"),
        (
            {"busiest_cpu_cores": 0.9, "generator_allotment_cores": 2.0},
            "generator",
            "one of the generator's processes used 90%",
        ),
        ({"lateness_p99_ns": 2_000_000}, "generator", "sent 2.0 ms late at p99 (at most 1.5 ms)"),
        ({"lateness_p99_ns": 1_100_000, "latency_p99_ns": 1_000_000}, "generator", "(at most 1.0 ms)"),
        ({"due": 10_000, "due_unsent": 11}, "generator", "11 of 10,000 requests that were due were not sent"),
        ({"without_port": 1}, "generator", "1 requests found no local port"),
        ({"hosts_wake_lag_ns": 21_000_000}, "generator", "on another host of the generator was woken 21 ms late"),
        ({"workers_lost": 1}, "generator", "1 of the generator's workers were lost"),
        ({"clock_step_max_ns": 6_000_000}, "machine", "the wall clock jumped by 6 ms (at most 5 ms)"),
        ({"steal_share": 0.03}, "machine", "3.0% of the CPU time was stolen"),
        ({"hiccup_p99_9_ns": 21_000_000}, "machine", "woken 21 ms late at p99.9"),
        ({"foreign_share": 0.06}, "machine", "others used 6% of the machine's CPU (at most 5%)"),
        ({"lateness_p99_ns": 2_000_000, "hiccup_p99_ns": 1_900_000}, "machine", "sent 2.0 ms late at p99 (at most 1.5"),
        ({"lateness_p99_ns": 9_000_000, "hiccup_p99_ns": 1_900_000}, "generator", "sent 9.0 ms late at p99"),
    ],
)
def test_each_rule_names_whom_it_blames_with_the_figure(change: dict[str, float], blames: str, said: str) -> None:
    (reason,) = reasons("gateways=1/1", replace(HEALTHY, **change))  # type: ignore[arg-type]
    assert (reason.window, reason.blames) == ("gateways=1/1", blames)
    assert said in reason.sentence


@pytest.mark.parametrize(("longest_pause_ms", "unsent"), [(1, 2), (60, 1), (200, 0)])
def test_what_was_due_within_a_pause_before_the_end_of_the_window_is_not_held_against_the_generator(
    longest_pause_ms: int, unsent: int
) -> None:
    due = np.zeros(2, ROW)
    due["intended_ns"] = [1_900_000_000, 1_950_000_000]
    due["sent_ns"], due["answered_ns"] = 2_000_000_000, 2_001_000_000
    due["late_ns"] = due["sent_ns"] - due["intended_ns"]
    noise = Noise(0.0, 0.1, 0.0, 0, 0, 0, longest_pause_ms * 1_000_000, 0)
    assert conditions(due, [], noise, MeasuredPart(0, 2_000_000_000), 1.0).due_unsent == unsent


def test_figures_at_the_border_are_still_valid() -> None:
    at_border = replace(
        HEALTHY,
        generator_cpu_cores=0.34,
        lateness_p99_ns=1_500_000,
        due=10_000,
        due_unsent=10,
        steal_share=0.02,
        hiccup_p99_9_ns=20_000_000,
        foreign_share=0.05,
    )
    assert reasons("w", at_border) == []
