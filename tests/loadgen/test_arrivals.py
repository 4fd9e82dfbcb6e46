"""Schedules are functions of the seed, have the rate asked for within chance, and the law of gaps of their kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from loadgen.arrivals import parsed, rate_per_s, schedule

FOUR_SIGMA = 4.0
KINDS: list[dict[str, Any]] = [
    {"kind": "constant", "rate_per_s": 300},
    {"kind": "poisson", "rate_per_s": 300},
    {"kind": "bursts", "rate_per_s": 100, "burst_per_s": 1000, "calm_s": 1, "burst_s": 0.2},
    {"kind": "ramp", "from_per_s": 50, "to_per_s": 500},
    {"kind": "step", "rates_per_s": [100, 400, 200]},
    {"kind": "spike", "rate_per_s": 100, "peak_per_s": 2000, "at_s": 10, "for_s": 2},
    {"kind": "soak", "rate_per_s": 300, "swing": 0.3, "period_s": 20},
]
of_each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["kind"])


def moments_s(kind: dict[str, Any], seed: int = 1, warm_up_s: float = 5, duration_s: float = 60) -> Any:
    return np.concatenate(list(schedule(parsed(kind), seed, warm_up_s, duration_s))) / 1e9


@of_each_kind
def test_the_same_seed_gives_the_same_schedule_and_another_seed_another(kind: dict[str, Any]) -> None:
    assert np.array_equal(moments_s(kind), moments_s(kind))
    assert np.array_equal(moments_s(kind), moments_s(kind, seed=2)) == (kind["kind"] == "constant")


@of_each_kind
@given(seed=st.integers(0, 10_000), duration_s=st.floats(5, 60))
@settings(max_examples=15)
def test_a_schedule_ascends_within_its_time_at_the_mean_rate_asked_for(
    kind: dict[str, Any], seed: int, duration_s: float
) -> None:
    moments = moments_s(kind, seed, 5, duration_s)
    assert np.all(np.diff(moments) >= 0)
    assert moments[0] >= 0
    assert moments[-1] <= 5 + duration_s
    expected = rate_per_s(parsed(kind), seed, 5, duration_s) * duration_s
    assert abs(np.sum(moments > 5) - expected) <= FOUR_SIGMA * np.sqrt(expected) + 1


def test_constant_arrivals_are_evenly_spaced() -> None:
    gaps_ns = np.diff(moments_s(KINDS[0])) * 1e9
    assert np.ptp(gaps_ns) <= 2


def test_the_gaps_of_poisson_arrivals_are_exponential_and_independent() -> None:
    gaps = np.diff(moments_s(KINDS[1]))
    assert stats.kstest(gaps, "expon", args=(0, 1 / 300)).pvalue > 0.01
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < FOUR_SIGMA / np.sqrt(len(gaps))


def test_the_moments_of_a_ramp_follow_the_integral_of_its_rate() -> None:
    moments = moments_s(KINDS[3], warm_up_s=0)
    total = 60 * (50 + 500) / 2
    assert stats.kstest(moments, lambda t: (50 * t + 450 / 60 * t * t / 2) / total).pvalue > 0.01


def test_bursts_are_more_uneven_than_poisson_arrivals() -> None:
    def unevenness(kind: dict[str, Any]) -> float:
        counts, _ = np.histogram(moments_s(kind, duration_s=200), bins=np.arange(5, 205, 0.5))
        return float(counts.var() / counts.mean())

    assert unevenness(KINDS[1]) < 1.3
    assert unevenness(KINDS[2]) > 20


@pytest.mark.parametrize(
    ("kind", "spans"),
    [
        (KINDS[4], {(0, 20): 100, (20, 40): 400, (40, 60): 200}),
        (KINDS[5], {(0, 10): 100, (10, 12): 2000, (12, 60): 100}),
        (KINDS[6], {(0, 10): 300 * (1 + 0.15), (10, 20): 300 * (1 - 0.15), (0, 20): 300, (0, 60): 300}),
    ],
    ids=["step", "spike", "soak"],
)
def test_each_part_of_the_measured_time_has_its_rate(
    kind: dict[str, Any], spans: dict[tuple[float, float], float]
) -> None:
    moments = moments_s(kind) - 5
    for (first, last), rate in spans.items():
        expected = rate * (last - first)
        assert abs(np.sum((moments >= first) & (moments < last)) - expected) < FOUR_SIGMA * np.sqrt(expected)


@of_each_kind
def test_the_warm_up_runs_at_the_rate_that_the_measured_part_begins_with(kind: dict[str, Any]) -> None:
    begins = (
        next(kind[name] for name in ("rate_per_s", "from_per_s") if name in kind) if "rates_per_s" not in kind else 100
    )
    warm_up = np.sum(moments_s(kind, warm_up_s=30) < 30)
    assert abs(warm_up - 30 * begins) < FOUR_SIGMA * np.sqrt(30 * begins)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "poisson", "rate_per_s": -5},
        {"kind": "poisson", "rate_per_s": 1e9},
        {"kind": "step", "rates_per_s": [100]},
        {"kind": "tides", "rate_per_s": 5},
        {"kind": "poisson", "rate": 5},
    ],
)
def test_what_is_no_schedule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parsed(wrong)
