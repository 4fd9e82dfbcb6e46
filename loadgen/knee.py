"""Where a system stops keeping its SLO, from few noisy windows: of each is known its rate, and how it was served.

A window has a knee of its own, spread around the system's like a normal distribution on the logarithm of the rate; the
system's knee is the rate at which half of all windows keep the SLO. By how much a window that came close to the SLO
kept or missed it tells how far its own knee was: a per cent more load is `SLOPES` per cent more p99, another below the
SLO than above. What came out far from the SLO says only on which side. Neither the spread nor the slopes are known: all
are believed at once with the knee on a grid, and summed out (as in QUEST+, Watson 2017, Journal of Vision 17(3):10), so
windows that contradict each other make the interval wide. Each is put at the median of what is believed. Pure: the
search asks it where to probe, the analysis asks it again what came out. What its intervals cover:
docs/decisions/0013-what-a-capacity-search-knows.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]

SPREADS = np.geomspace(0.01, 0.40, 7)
"""Of the knee from window to window, as shares; before any window each is as likely as any, as are the slopes."""
SLOPES = np.geomspace(3, 60, 6)
NEAR = math.log(1.5)
"""Up to this ratio to the SLO, up or down, p99 rises by one slope; beyond it queues are full, or never were."""
LAPSE = 0.005
"""Of all windows, those that went wrong for other reasons."""
STEP = 0.01
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Trial:
    """`strain` as `strain` has it."""

    rate_per_s: float
    strain: float

    @property
    def kept(self) -> bool:
        return self.strain < 1


@dataclass(frozen=True, slots=True)
class Knee:
    """`spread` from window to window, as a share: what the trials left of the belief in it (its geometric mean).
    `is_bracketed`: the SLO was seen to hold and to fail, else the knee may lie beyond what was tried."""

    rate_per_s: float
    low: float
    high: float
    spread: float
    is_bracketed: bool

    @property
    def width(self) -> float:
        """Of the 95 % interval, as a share of the estimate."""
        return (self.high - self.low) / self.rate_per_s


def strain(p99_ms: float, error_share: float, p99_max_ms: float, error_share_max: float) -> float:
    """What was measured over what the SLO allows, p99 or errors, whichever is worse: the SLO is kept below 1."""
    return max(p99_ms / p99_max_ms, error_share / error_share_max)


def knee(from_per_s: float, to_per_s: float, trials: Iterable[Trial]) -> Knee:
    """What the trials say, every rate between the two being equally likely (in its logarithm) before them."""
    trials = list(trials)
    logs = np.linspace(np.log(from_per_s), np.log(to_per_s), int(np.log(to_per_s / from_per_s) / STEP) + 2)
    belief = _belief(logs, trials)
    rates = belief.sum(axis=0)
    reached = np.cumsum(rates) - rates / 2
    low, median, high = np.exp(np.interp(((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2), reached, logs)).tolist()
    spread = math.exp(belief.sum(axis=1) @ np.log(SPREADS))
    return Knee(median, low, high, spread, {trial.kept for trial in trials} == {True, False})


def _belief(logs: Array, trials: list[Trial]) -> Array:
    """In each spread and knee, all slopes together; those that kept the SLO speak of the slope below it, the others of
    that above."""
    belief = np.ones((len(SPREADS), len(logs)))
    for side in (True, False):
        told = [_likelihood(logs, trial) for trial in trials if trial.kept == side]
        belief *= np.prod(told, axis=0).mean(axis=0) if told else 1
    return np.asarray(belief / belief.sum())


def _likelihood(logs: Array, trial: Trial) -> Array:
    """Of what was measured, for each slope, spread and knee (axes in this order)."""
    slopes, spreads = SLOPES[:, None, None], SPREADS[:, None]
    above = logs - math.log(trial.rate_per_s)
    excess = math.log(trial.strain)
    if abs(excess) < NEAR:
        off = (above + excess / slopes) / spreads
        return (1 - LAPSE) * np.exp(-off * off / 2) / (math.sqrt(2 * math.pi) * spreads * slopes) + LAPSE
    sign = 1 if trial.kept else -1
    return np.asarray(LAPSE + (1 - 2 * LAPSE) * special.ndtr((sign * above - NEAR / slopes) / spreads))
