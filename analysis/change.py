"""What changed between runs: each figure of each configuration, as a ratio with its interval. The unit is a repetition.

A second of a window shares its luck with the next one, so seconds (and orders) are no independent observations;
repetitions, each on a renewed cluster, are. The ratio of the means is judged by the bootstrap-t (Efron and Tibshirani,
An Introduction to the Bootstrap, 1993, chapter 12.5) of the difference of the logarithms: with six repetitions a side
the plain percentile bootstrap cries wolf about twice as often as it says. A comparison looks at several figures, so
each gets its share of the 5 % of false alarms (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from analysis.finding import Interval
from analysis.measured import ORDER, orders_by_second
from loadgen.manifest import RunError
from loadgen.record import Run, Window

FALSE_ALARMS = 0.05
"""Of a whole comparison of two runs that do not differ."""
POWER = 0.8
"""How often a change of the size called `smallest` is found."""
REPETITIONS_MIN = 6
DRAWS = 1_000
SPREAD_MIN = 1e-9
AIM = 0.10
"""The change that `repetitions_for` asks after."""
NOT_THE_LOAD = frozenset({"name", "title", "repetitions", "order", "seed", "short", "gates"})
"""What campaigns may differ in and still be compared."""


class ComparisonError(Exception):
    """The runs are not to be compared; the text says why, and how to compare them all the same."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of a window; `better` is 1 where more is better, -1 where less is."""

    name: str
    unit: str
    better: int


MEASURES = (Measure("throughput", "orders/s", 1), Measure("p50", "ms", -1), Measure("p99", "ms", -1))
Repeated = Mapping[str, Sequence[float]]
"""Measure → one value a repetition."""


@dataclass(frozen=True, slots=True)
class Change:
    """`ratio` is after over before. `smallest` is the change (a share) that so many repetitions of such a spread show
    four times in five; `repetitions_for` how many a side would show one of a tenth."""

    configuration: str
    measure: str
    unit: str
    before: float
    after: float
    ratio: float
    interval: Interval
    smallest: float
    repetitions_for: int
    better: int

    @property
    def found(self) -> bool:
        """Whether no change at all can be ruled out."""
        return not self.interval.low <= 1 <= self.interval.high

    @property
    def is_worse(self) -> bool:
        return self.found and (self.ratio - 1) * self.better < 0

    @property
    def verdict(self) -> str:
        if not self.found:
            return "no change found"
        return "worse" if self.is_worse else "better"


def compare(before: Run, after: Run, *, anyway: bool = False) -> list[Change]:
    """Every figure of the configurations that both have. Raises ComparisonError unless told to compare `anyway`."""
    faults = unlike(before, after)
    if faults and not anyway:
        raise ComparisonError("\n".join([*faults, "--anyway compares them all the same"]))
    theirs = after.configurations()
    shared = {name: windows for name, windows in before.configurations().items() if name in theirs}
    if not shared:
        raise ComparisonError(f"{before.id} and {after.id} share no configuration")
    scarce = [name for name, windows in shared.items() if min(len(windows), len(theirs[name])) < 2]
    if scarce:
        raise ComparisonError(f"{', '.join(scarce)}: one repetition has no spread; run at least {REPETITIONS_MIN}")
    level = FALSE_ALARMS / (len(MEASURES) * len(shared))
    return [
        change
        for name, windows in shared.items()
        for change in changes(name, repeated(before, windows), repeated(after, theirs[name]), level)
    ]


def unlike(before: Run, after: Run) -> list[str]:
    """Why the two should not be compared."""
    found = []
    if not before.machine.same_kind(after.machine):
        found.append(f"{before.id} ran on {_kind(before)}, {after.id} on {_kind(after)}")
    one, other = ({k: v for k, v in run.campaign.items() if k not in NOT_THE_LOAD} for run in (before, after))
    one, other = (_asked(campaign) for campaign in (one, other))
    differing = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    if differing:
        found.append(f"{before.id} and {after.id} ran campaigns that differ in {', '.join(differing)}")
    for run in (before, after):
        if not run.valid or run.status != "complete":
            found.append(f"{run.id} is {'invalid' if not run.valid else run.status}")
        few = min(len(windows) for windows in run.configurations().values())
        if few < REPETITIONS_MIN:
            found.append(f"{run.id} has {few} repetitions; {REPETITIONS_MIN} are the least that make a comparison")
    return found


def _asked(campaign: Any) -> Any:
    """Without what asks for nothing, which older campaigns did not have yet: no hosts, nobody who watches."""
    if not isinstance(campaign, dict):
        return campaign
    kept = {name: _asked(value) for name, value in campaign.items() if value not in (None, [], {}, "")}
    return {name: value for name, value in kept.items() if not (name == "watchers" and value.get("kind") == "none")}


def _kind(run: Run) -> str:
    machine = run.machine
    return (
        f"{machine.cores} × {machine.model}, kernel {machine.kernel}, disk {machine.disk}, CPU quotas: {machine.quotas}"
    )


def repeated(run: Run, windows: Sequence[Window]) -> dict[str, list[float]]:
    """The figures of each window of one configuration. Raises RunError where a window carried nothing."""
    found: dict[str, list[float]] = {measure.name: [] for measure in MEASURES}
    for window in windows:
        rate, histogram = float(orders_by_second(run, window).mean()), run.latency(window, ORDER)
        if rate <= 0:
            raise RunError(f"{run.id}: {window.name} carried no order, so there is nothing to compare")
        found["throughput"].append(rate)
        found["p50"].append(histogram.get_value_at_percentile(50) / 1e6)
        found["p99"].append(histogram.get_value_at_percentile(99) / 1e6)
    return found


def changes(configuration: str, before: Repeated, after: Repeated, level: float) -> Iterator[Change]:
    """`level` is the share of false alarms that each figure may raise."""
    for measure in MEASURES:
        one, other = np.log(before[measure.name]), np.log(after[measure.name])
        difference = float(other.mean() - one.mean())
        is_few = min(len(one), len(other)) < REPETITIONS_MIN
        low, high = (welch if is_few else bootstrap_t)(one, other, level)
        smallest, needed = _smallest(one, other, level), _needed(one, other, level)
        name = "Welch's t" if is_few else "bootstrap-t"
        method = f"{name} over {len(one)} and {len(other)} repetitions, {1 - level:.1%} for each figure"
        yield Change(
            configuration, measure.name, measure.unit, math.exp(one.mean()), math.exp(other.mean()),
            math.exp(difference), Interval(math.exp(low), math.exp(high), method), smallest, needed, measure.better,
        )  # fmt: skip


def bootstrap_t(one: np.ndarray, other: np.ndarray, level: float, seed: int = 1) -> tuple[float, float]:
    """Interval of mean(other) - mean(one) at 1 - `level`."""
    draw = np.random.default_rng(seed)
    centre, error = other.mean() - one.mean(), _error(one, other)
    ones = one[draw.integers(0, len(one), (DRAWS, len(one)))]
    others = other[draw.integers(0, len(other), (DRAWS, len(other)))]
    errors = np.maximum(
        np.sqrt(ones.var(axis=1, ddof=1) / len(one) + others.var(axis=1, ddof=1) / len(other)), SPREAD_MIN
    )
    t = np.abs((others.mean(axis=1) - ones.mean(axis=1) - centre) / errors)
    reach = float(np.quantile(t, 1 - level)) * error
    return float(centre - reach), float(centre + reach)


def welch(one: np.ndarray, other: np.ndarray, level: float) -> tuple[float, float]:
    """The same of too few repetitions to draw from: two of one value have no spread at all (Welch 1947, Biometrika)."""
    parts = [each.var(ddof=1) / len(each) for each in (one, other)]
    freedom = sum(parts) ** 2 / max(
        sum(part**2 / (len(each) - 1) for part, each in zip(parts, (one, other), strict=True)), SPREAD_MIN**4
    )
    centre, reach = other.mean() - one.mean(), float(stats.t.ppf(1 - level / 2, max(freedom, 1.0))) * _error(one, other)
    return float(centre - reach), float(centre + reach)


def _error(one: np.ndarray, other: np.ndarray) -> float:
    return max(math.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other)), SPREAD_MIN)


def _smallest(one: np.ndarray, other: np.ndarray, level: float) -> float:
    """The change found with `POWER`, as a share: the t test's, whose size the bootstrap shares."""
    freedom = len(one) + len(other) - 2
    reach = stats.t.ppf(1 - level / 2, freedom) + stats.t.ppf(POWER, freedom)
    return math.expm1(float(reach) * _error(one, other))


def _needed(one: np.ndarray, other: np.ndarray, level: float) -> int:
    """Repetitions a side that find a change of `AIM` with `POWER`; the normal law's, and never below the least."""
    variance = float(one.var(ddof=1) + other.var(ddof=1)) / 2
    reach = stats.norm.ppf(1 - level / 2) + stats.norm.ppf(POWER)
    return max(REPETITIONS_MIN, math.ceil(2 * variance * float(reach) ** 2 / math.log1p(AIM) ** 2))


def document(before: Run, after: Run, found: Sequence[Change]) -> dict[str, Any]:
    """What a comparison says to a program."""
    return {"before": before.id, "after": after.id, "changes": [_plain(change) for change in found]}


def _plain(change: Change) -> dict[str, Any]:
    return {
        "configuration": change.configuration,
        "measure": change.measure,
        "unit": change.unit,
        "before": change.before,
        "after": change.after,
        "ratio": change.ratio,
        "low": change.interval.low,
        "high": change.interval.high,
        "verdict": change.verdict,
        "smallest_seen": change.smallest,
        "repetitions_for_10_percent": change.repetitions_for,
    }
