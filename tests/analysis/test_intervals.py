"""Intervals: the right unit of independence, and cover as promised where seconds depend on each other."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import intervals


def test_three_repetitions_give_students_t_on_their_means() -> None:
    interval = intervals.of_windows([[10.0, 12.0], [11.0, 13.0], [12.0, 14.0]])
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((12 - 4.302653 / 3**0.5, 12 + 4.302653 / 3**0.5))
    assert interval.method == "Student's t over 3 repetitions"


def test_one_repetition_gives_batch_means_of_its_seconds() -> None:
    interval = intervals.of_windows([list(range(10))])
    assert interval is not None
    assert interval.low < 4.5 < interval.high
    assert "batch means" in interval.method


def test_a_window_of_a_few_seconds_gives_no_interval_rather_than_a_wrong_one() -> None:
    assert intervals.of_windows([[1.0, 2.0, 3.0]]) is None


def test_a_ratio_has_no_interval_where_a_part_of_the_window_completed_nothing() -> None:
    busy, orders = np.full(10, 0.2), np.array([100.0] * 6 + [0.0] * 4)
    assert intervals.of_ratios([busy], [orders]) is None
    steady = intervals.of_ratios([busy], [np.full(10, 100.0)])
    assert steady is not None
    assert (steady.low, steady.high) == pytest.approx((0.002, 0.002))


def test_batch_means_cover_the_mean_of_dependent_seconds_where_the_naive_interval_does_not() -> None:
    draw, covered, naive = np.random.default_rng(5), 0, 0
    for _ in range(400):
        values = np.zeros(60)
        for i in range(1, 60):
            values[i] = 0.6 * values[i - 1] + draw.normal()
        interval = intervals.over_seconds(values.tolist())
        assert interval is not None
        covered += interval.low <= 0 <= interval.high
        naive += abs(values.mean()) <= 1.96 * values.std(ddof=1) / 60**0.5
    assert covered / 400 > 0.89
    assert naive / 400 < 0.75
