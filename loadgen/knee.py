"""Where a system stops keeping its SLO, from few noisy trials: each one says only that the SLO held at a rate, or not.

A Bayesian estimate on a grid of the logarithm of the rate, in the way of QUEST (Watson and Pelli 1983, Perception &
Psychophysics 33): the chance that the SLO holds at a rate falls with the distance to the knee like a normal
distribution of `SPREAD`, and `LAPSE` of all trials go wrong for other reasons. Each trial is put at the median of what
is believed, where it tells most. Pure: the search asks it where to probe, the analysis asks it again what came out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

SPREAD = 0.03
"""Of the knee from window to window, as a share: windows of some seconds on one machine."""
LAPSE = 0.005
STEPS_PER_SPREAD = 10
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Trial:
    rate_per_s: float
    kept: bool


@dataclass(frozen=True, slots=True)
class Knee:
    """`is_bracketed`: the SLO was seen to hold and to fail, else the knee may lie beyond what was tried."""

    rate_per_s: float
    low: float
    high: float
    is_bracketed: bool

    @property
    def width(self) -> float:
        """Of the 95 % interval, as a share of the estimate."""
        return (self.high - self.low) / self.rate_per_s


def knee(from_per_s: float, to_per_s: float, trials: Iterable[Trial]) -> Knee:
    """What the trials say, every rate between the two being equally likely (in its logarithm) before them."""
    trials = list(trials)
    rates, belief = _belief(from_per_s, to_per_s, trials)
    reached = np.cumsum(belief)
    low, median, high = (
        float(rates[np.searchsorted(reached, share)]) for share in ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2)
    )
    return Knee(median, low, high, {trial.kept for trial in trials} == {True, False})


def _belief(
    from_per_s: float, to_per_s: float, trials: list[Trial]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    steps = int(np.log(to_per_s / from_per_s) / SPREAD * STEPS_PER_SPREAD) + 2
    logs = np.linspace(np.log(from_per_s), np.log(to_per_s), steps)
    belief = np.ones(steps)
    for trial in trials:
        held = LAPSE + (1 - 2 * LAPSE) * special.ndtr((logs - np.log(trial.rate_per_s)) / SPREAD)
        belief *= held if trial.kept else 1 - held
    return np.exp(logs), belief / belief.sum()
