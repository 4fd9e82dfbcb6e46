"""95 % intervals that do not pretend that neighbouring seconds are independent.

Over three or more repetitions: Student's t on the repetitions' means, since a repetition is the honest unit. With
fewer: batch means over the seconds of the window, batches long enough that their means hardly depend on each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import stats

from analysis.finding import Figure, Interval

LEVEL = 0.95
REPETITIONS_MIN = 3
BATCHES = 5
BATCH_MEANS = f"batch means, {BATCHES} batches of a window's seconds"


def over_repetitions(means: Sequence[float]) -> Interval:
    """Student's t on the means of at least two repetitions."""
    return _student(means, f"Student's t over {len(means)} repetitions")


def over_seconds(values: Sequence[float] | np.ndarray) -> Interval | None:
    """Batch means (Law and Carson 1979) of a series sampled at even intervals; None below two values a batch.

    Five batches: few and long rather than many and dependent; with 15 s windows each spans 3 s.
    """
    if len(values) < 2 * BATCHES:
        return None
    batches = np.array_split(np.asarray(values, dtype=float), BATCHES)
    return _student([float(batch.mean()) for batch in batches], BATCH_MEANS)


def of_windows(windows: Sequence[Sequence[float] | np.ndarray]) -> Interval | None:
    """Interval for the mean of what cannot be negative; `windows` holds the per-second values of each repetition."""
    interval = _of_windows(windows)
    return Interval(max(0.0, interval.low), interval.high, interval.method) if interval else None


def _of_windows(windows: Sequence[Sequence[float] | np.ndarray]) -> Interval | None:
    means = [float(np.mean(values)) for values in windows if len(values)]
    if len(means) >= REPETITIONS_MIN:
        return over_repetitions(means)
    if len(means) == 1:
        return over_seconds(np.concatenate(windows))
    per_window = [over_seconds(values) for values in windows]
    return _pooled(means, [interval for interval in per_window if interval is not None]) if means else None


def of_ratios(parts: Sequence[np.ndarray], wholes: Sequence[np.ndarray]) -> Interval | None:
    """Interval of sum(parts) / sum(wholes), e.g. busy seconds an order; one pair of per-second arrays a repetition.

    None where too few seconds were measured, or nothing was completed in one of the batches (or repetitions).
    """
    method = f"Student's t over {len(parts)} repetitions"
    if len(parts) < REPETITIONS_MIN:
        parts, wholes = (np.array_split(np.concatenate(each), BATCHES) for each in (parts, wholes))
        method = BATCH_MEANS
    if any(len(whole) < 2 or not whole.sum() for whole in wholes):
        return None
    return _student([part.sum() / whole.sum() for part, whole in zip(parts, wholes, strict=True)], method)


def scaled(interval: Interval, factor: float) -> Interval:
    return Interval(interval.low * factor, interval.high * factor, interval.method)


def of_quotient(above: Figure, below: Figure) -> Interval | None:
    """Interval of above / below, the two measured apart: relative half widths add in quadrature."""
    if above.interval is None or below.interval is None:
        return None
    halves = [(f.interval.high - f.interval.low) / 2 / f.value for f in (above, below) if f.interval]
    half = math.hypot(*halves) * above.value / below.value
    centre = above.value / below.value
    return Interval(centre - half, centre + half, "both intervals propagated")


def resampled(lengths: Sequence[int], draws: int, seed: int) -> Iterator[np.ndarray]:
    """Indices into the seconds of all windows, window after window, of a bootstrap in two stages: windows are drawn
    with replacement, and within each its seconds in runs, for neighbours share their luck. A run is as long as the cube
    root of the window (Hall, Horowitz and Jing 1995, Biometrika 82)."""
    draw = np.random.default_rng(seed)
    firsts = np.cumsum([0, *lengths[:-1]])
    for _ in range(draws):
        yield np.concatenate(
            [firsts[window] + _runs(draw, lengths[window]) for window in draw.integers(0, len(lengths), len(lengths))]
        )


def _runs(draw: np.random.Generator, count: int) -> np.ndarray:
    """`count` places of a circle of as many, in runs of neighbours."""
    length = math.ceil(count ** (1 / 3))
    starts = draw.integers(0, count, math.ceil(count / length))
    return np.asarray(((starts[:, None] + np.arange(length)) % count).ravel()[:count])


def _student(means: Sequence[float], method: str) -> Interval:
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(means) - 1) * stats.sem(means))
    centre = float(np.mean(means))
    return Interval(centre - half, centre + half, method)


def _pooled(means: Sequence[float], intervals: Sequence[Interval]) -> Interval | None:
    """Two repetitions are too few for Student's t: the hull of what each one says by itself."""
    if len(intervals) < len(means):
        return None
    return Interval(
        min(interval.low for interval in intervals),
        max(interval.high for interval in intervals),
        f"hull of the batch-means intervals of {len(means)} repetitions",
    )
