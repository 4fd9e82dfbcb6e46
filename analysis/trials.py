"""Whether comparisons decide: how often they cry wolf, and how often they find a change of a tenth. Offline.

Real runs of one campaign on one machine are drawn into two halves, at random and again and again, as if one half had
been measured before a change and the other after it. Nothing changed, so what the comparison finds is a false alarm.
Then one half is made a tenth slower (throughput down, latencies up) and the comparison has to find that its throughput
fell. The pool is a file of the repository, so this can be repeated without a cluster.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.change import FALSE_ALARMS, MEASURES, Change, ComparisonError, Measure, changes, repeated, unlike
from loadgen.record import Run

POOL = Path(__file__).parent / "data" / "alike_runs.json"
SLOWER = 1.10
TRIALS = 1_000
RUNS_MIN = 24
"""Halves of a dozen each."""

Pool = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Outcome:
    aa_false_alarms: float
    found_10_percent: float
    runs: int
    trials: int


def kept() -> dict[str, Any]:
    """The repository's own runs. Raises ComparisonError where it has none."""
    if not POOL.is_file():
        raise ComparisonError(
            f"{POOL}: not there; run loadgen/campaigns/alike.yaml {RUNS_MIN} times on a quiet machine, name the runs,"
            " and add --keep to keep their figures"
        )
    found: dict[str, Any] = json.loads(POOL.read_text())
    return found


def keep(document: Mapping[str, Any]) -> None:
    POOL.parent.mkdir(exist_ok=True)
    POOL.write_text(json.dumps(document, indent=1) + "\n")


def values(document: Mapping[str, Any]) -> dict[str, list[float]]:
    """Measure → its value in each run."""
    return {measure.name: [run[measure.name] for run in document["runs"]] for measure in MEASURES}


def pooled(runs: Sequence[Run]) -> dict[str, Any]:
    """What is kept of runs: the figures of each one's first window (a run a repetition).

    Raises ComparisonError where a run is unlike the first one, or disturbed.
    """
    for run in runs:
        faults = [fault for fault in unlike(runs[0], run) if "repetitions" not in fault]
        if faults:
            raise ComparisonError("\n".join(faults))
    rows = []
    for run in runs:
        figures = {name: values[0] for name, values in repeated(run, run.windows[:1]).items()}
        rows.append({"run": run.id, "commit": run.commit, **figures})
    return {"campaign": runs[0].campaign, "machine": runs[0].machine.model, "runs": rows}


def trials(values: Pool, count: int = TRIALS, seed: int = 1) -> Outcome:
    """Halves drawn `count` times."""
    draw = np.random.default_rng(seed)
    size = len(values[MEASURES[0].name])
    alarms = found = 0
    for _ in range(count):
        order = draw.permutation(size)
        one, other = (_chosen(values, half) for half in np.array_split(order, 2))
        alarms += any(change.found for change in _changes(one, other))
        slower = {measure.name: _slowed(measure, other[measure.name]) for measure in MEASURES}
        found += any(change.measure == "throughput" and change.is_worse for change in _changes(one, slower))
    return Outcome(alarms / count, found / count, size, count)


def _changes(one: Pool, other: Pool) -> list[Change]:
    return list(changes("base", one, other, FALSE_ALARMS / len(MEASURES)))


def _chosen(values: Pool, which: np.ndarray) -> dict[str, list[float]]:
    return {name: [of_runs[index] for index in which] for name, of_runs in values.items()}


def _slowed(measure: Measure, values: Sequence[float]) -> list[float]:
    return [value * SLOWER**-measure.better for value in values]
