"""The gates of a campaign: bounds that each configuration of its run must keep, for a build that has to say yes or no.

`gates:` in a campaign names them. A bound that no figure can be held against (nothing was answered) is missed, not
passed. The regression gate compares with a run that lies beside this one; a change must be found, not only measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from analysis import change
from analysis.change import ComparisonError
from analysis.measured import Configuration, configurations, latency
from loadgen.manifest import RunError
from loadgen.record import DIFFERENCES, Run


@dataclass(frozen=True, slots=True)
class Gate:
    """One bound on one configuration ("" where it is on the whole run); `said` gives figure and bound."""

    name: str
    configuration: str
    passed: bool
    said: str


def gates(run: Run) -> list[Gate]:
    """Every gate of the run's campaign, in the order of its configurations; empty where it names none."""
    asked: dict[str, Any] = run.campaign.get("gates") or {}
    found = [gate for configuration in configurations(run) for gate in _bounds(run, configuration, asked)]
    if asked.get("reconciled"):
        found.append(reconciled(run))
    if regression := asked.get("regression"):
        found += _regression(run, regression["baseline"], regression["change_max"])
    return found


def _bounds(run: Run, configuration: Configuration, asked: dict[str, Any]) -> Iterator[Gate]:
    histogram = latency(run, configuration)
    answered = histogram.get_total_count() > 0

    def gate(name: str, value: float, unit: str, at_most: bool) -> Gate:
        bound = asked[name]
        passed = answered and (value <= bound if at_most else value >= bound)
        figure = f"{value:,.4g}{unit}" if answered else "nothing was answered"
        return Gate(
            name, configuration.name, passed, f"{figure}, {'at most' if at_most else 'at least'} {bound:g}{unit}"
        )

    for name, percentile in (("p50_ms", 50), ("p99_ms", 99), ("p99_9_ms", 99.9)):
        if asked.get(name) is not None:
            yield gate(name, histogram.get_value_at_percentile(percentile) / 1e6, " ms", at_most=True)
    if asked.get("orders_per_s") is not None:
        yield gate("orders_per_s", configuration.orders_per_s.value, " orders/s", at_most=False)
    if asked.get("error_share") is not None:
        yield gate("error_share", configuration.error_share, "", at_most=True)


def reconciled(run: Run) -> Gate:
    """The promise that every run is held to, whether its campaign asks or not."""
    wrong = {name: run.reconciliation[name] for name in DIFFERENCES if run.reconciliation[name]}
    told = ", ".join(f"{count} {name}" for name, count in wrong.items()) or "0 lost, 0 in doubt"
    return Gate("reconciled", "", run.reconciled, f"{told} of {run.reconciliation['acknowledged']:,} acknowledged")


def _regression(run: Run, baseline: str, change_max: float) -> list[Gate]:
    name = "regression"
    try:
        found = change.compare(Run.open(run.path.parent / baseline), run)
    except (RunError, ComparisonError) as error:
        return [Gate(name, "", False, f"cannot be compared with {baseline}: {error}")]
    return [
        Gate(
            name, each.configuration, not (each.is_worse and abs(each.ratio - 1) > change_max), _told(each, change_max)
        )
        for each in found
    ]


def _told(each: change.Change, change_max: float) -> str:
    low, high = (f"{100 * (bound - 1):+.1f}" for bound in (each.interval.low, each.interval.high))
    return (
        f"{each.measure} {100 * (each.ratio - 1):+.1f} % ({low} to {high} %), worse by at most {100 * change_max:g} %"
    )
