"""Counters become rates whatever happens to the process that counts or to the clock that scrapes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.series import increase, monotonic
from loadgen.record import Window

START = 1_000_000_000_000


def window(seconds: int) -> Window:
    return Window("w/1", {}, 1, 0, 1, 0.0, None, START, START, START + seconds * 10**9, START + seconds * 10**9)


def samples(instance: str, points: list[tuple[float, float]]) -> pd.DataFrame:
    rows = [{"instance": instance, "t_ns": START + int(at * 1e9), "value": value} for at, value in points]
    return pd.DataFrame(rows)


def test_a_counter_that_starts_again_from_zero_loses_nothing_that_it_counted_since() -> None:
    assert monotonic(np.array([10.0, 14.0, 3.0, 5.0])).tolist() == [0.0, 4.0, 7.0, 9.0]


def test_jittering_scrapes_give_the_rate_of_each_second() -> None:
    jittered = samples("a", [(-0.3, 0.0), (0.8, 5.5), (2.1, 12.0), (3.2, 17.5), (4.4, 23.5)])
    assert increase(jittered, window(4)).tolist() == pytest.approx([5.0] * 4, rel=1e-6)


def test_instances_add_up_and_one_that_dies_stops_adding_a_scrape_later() -> None:
    alive = samples("a", [(t, 2.0 * t) for t in range(-1, 12)])
    dead = samples("b", [(t, 2.0 * t) for t in range(-1, 5)])
    assert increase(pd.concat([alive, dead]), window(10)).tolist() == [4.0] * 5 + [2.0] * 5


def test_a_window_that_ends_between_two_scrapes_is_counted_to_its_end() -> None:
    assert increase(samples("a", [(t + 0.5, 3.0 * t) for t in range(10)]), window(10)).sum() == pytest.approx(30.0)
