"""MSER-5 cuts a start that is unlike the rest, and leaves alone what is steady, and what never becomes so."""

from __future__ import annotations

import numpy as np
import pytest

from loadgen.receipts import ROW
from loadgen.warm_up import BIN_NS, cut, steady_from_ns


def noise(count: int = 100, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(10, 1, count)


@pytest.mark.parametrize("seed", range(5))
def test_a_slow_start_is_cut(seed: int) -> None:
    values = noise(seed=seed)
    values[:20] += np.linspace(20, 2, 20)
    assert 15 <= cut(values) <= 40


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_cut_of_what_is_steady(seed: int) -> None:
    assert cut(noise(seed=seed)) == 0


def test_nothing_is_cut_of_what_never_becomes_steady() -> None:
    assert cut(noise() + np.linspace(0, 50, 100)) == 0


@pytest.mark.parametrize(("at", "length"), [(30, 5), (100, 10), (40, 3)])
def test_a_stall_after_a_steady_start_is_no_warm_up(at: int, length: int) -> None:
    values = noise(300)
    values[at : at + length] += 500
    assert cut(values) == 0


def test_too_short_a_series_says_nothing() -> None:
    assert cut(noise(15)) == 0


def test_of_a_window_the_later_of_throughput_and_latency_counts() -> None:
    """100/s answered all along in 5 ms, but in 80 ms for the first four seconds of twenty."""
    due = np.arange(0, 20 * 10**9, 10**7)
    receipts = np.zeros(len(due), ROW)
    receipts["intended_ns"] = due
    receipts["answered_ns"] = due + np.where(due < 4 * 10**9, 80_000_000, 5_000_000)
    end = steady_from_ns(receipts, 0, 20 * 10**9)
    assert 4 * 10**9 <= end <= 6 * 10**9
    assert end % BIN_NS == 0
    receipts["answered_ns"] = due + 5_000_000
    assert steady_from_ns(receipts, 0, 20 * 10**9) == 0
