"""What a capacity search found: for each resource the highest load that keeps the SLO, and the least for each load.

Theodolite's two measures (Henning and Hasselbring 2022, Empirical Software Engineering 27, 143): *capacity* maps
resources to load, *demand* maps load to resources. Both are read from the same probes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.finding import Bearing, Figure, Finding, Interval, Mechanism
from analysis.memo import remembered
from loadgen.knee import Knee, Trial, knee, strain
from loadgen.record import Run, Window

RATE = "load.arrivals.rate_per_s"


@dataclass(frozen=True, slots=True)
class Probe:
    """One window of a search. `p99_ms` is infinite where nothing was answered."""

    window: str
    rate_per_s: float
    p99_ms: float
    error_share: float
    kept: bool


@dataclass(frozen=True, slots=True)
class Capacity:
    """Of one set of resources; `knee` is the rate with its 95 % interval."""

    resources: Mapping[str, Any]
    probes: tuple[Probe, ...]
    knee: Knee

    @property
    def label(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.resources.items()) or "the topology"

    @property
    def missed(self) -> list[Probe]:
        """The probes that did not keep the SLO, the slowest first: what they met is the limit."""
        return sorted((probe for probe in self.probes if not probe.kept), key=lambda probe: probe.rate_per_s)

    def __str__(self) -> str:
        rates, found = [probe.rate_per_s for probe in self.probes], self.knee
        if found.is_bracketed:
            said, interval = f"up to {found.rate_per_s:,.0f}", f" ({found.low:,.0f} to {found.high:,.0f})"
        elif self.missed:
            said, interval = f"not even at {min(rates):,.0f}", ""
        else:
            said, interval = f"at least up to {max(rates):,.0f}", ""
        return f"{said} requests/s with {self.label}{interval}"


@remembered
def capacities(run: Run) -> list[Capacity]:
    """One for each set of resources, from the least on; empty where the campaign did not search."""
    search = run.campaign.get("search")
    if not search:
        return []
    groups: dict[str, list[Window]] = {}
    for windows in run.configurations().values():
        groups.setdefault(str(_resources(windows[0])), []).extend(windows)
    return [_capacity(run, search, sorted(each, key=lambda window: window.position)) for each in groups.values()]


def demand(found: list[Capacity]) -> list[tuple[float, Mapping[str, Any]]]:
    """(load in requests/s, the least resources that carry it), for the loads at which that changes, ascending.

    Resources that kept the SLO at no load at all carry none."""
    steps: list[tuple[float, Mapping[str, Any]]] = []
    for capacity in found:
        is_kept = len(capacity.missed) < len(capacity.probes)
        if is_kept and (not steps or capacity.knee.rate_per_s > steps[-1][0]):
            steps.append((capacity.knee.rate_per_s, capacity.resources))
    return steps


def headline(run: Run) -> str:
    """What a search found, for the person who asked for it, most resources first; empty where nothing was searched."""
    found = capacities(run)
    said = ", ".join(str(capacity) for capacity in reversed(found))
    return f"p99 stays below {run.campaign['search']['p99_ms']:g} ms {said}" if found else ""


def slo(run: Run) -> list[Finding]:
    return [_finding(run, capacity) for capacity in capacities(run)]


def _resources(window: Window) -> dict[str, Any]:
    return {name: value for name, value in window.parameters.items() if name != RATE}


def _capacity(run: Run, search: Mapping[str, Any], windows: list[Window]) -> Capacity:
    probes = tuple(_probe(run, search, window) for window in windows)
    trials = [Trial(probe.rate_per_s, _strain(search, probe.p99_ms, probe.error_share)) for probe in probes]
    return Capacity(_resources(windows[0]), probes, knee(search["from_per_s"], search["to_per_s"], trials))


def _probe(run: Run, search: Mapping[str, Any], window: Window) -> Probe:
    """By the requests that were due in the measured part, as the search itself judged."""
    ok, due = run.latency(window), run.latency(window, outcome=None).get_total_count()
    answered = ok.get_total_count()
    p99_ms = ok.get_value_at_percentile(99) / 1e6 if answered else math.inf
    error_share = 1 - answered / max(due, 1)
    kept = _strain(search, p99_ms, error_share) < 1
    return Probe(window.name, float(window.parameters[RATE]), p99_ms, error_share, kept)


def _strain(search: Mapping[str, Any], p99_ms: float, error_share: float) -> float:
    return strain(p99_ms, error_share, search["p99_ms"], search["error_share"])


def _finding(run: Run, capacity: Capacity) -> Finding:
    search, found = run.campaign["search"], capacity.knee
    claim = (
        f"The SLO (p99 below {search['p99_ms']:g} ms, errors below {100 * search['error_share']:g} %) holds {capacity}"
    )
    method = (
        f"belief after {len(capacity.probes)} probes of this run, the spread of windows and the slope of p99 summed out"
    )
    evidence = (
        Figure("capacity", found.rate_per_s, "requests/s", Interval(found.low, found.high, method)),
        Figure("width of the interval", 100 * found.width, "%"),
        Figure("spread from window to window", 100 * found.spread, "%"),
    )
    return Finding(
        claim=claim,
        component="load",
        mechanism=Mechanism.LOAD,
        status=Bearing.NOTED,
        evidence=evidence,
        doubt=doubt_of(capacity),
        next_step="" if found.is_bracketed else "Widen from_per_s and to_per_s and search again.",
    )


def doubt_of(capacity: Capacity) -> str:
    if not capacity.knee.is_bracketed:
        return f"Every probe of {capacity.label} came out alike: its capacity lies outside of them."
    least, most = capacity.missed[0].rate_per_s, max(probe.rate_per_s for probe in capacity.probes if probe.kept)
    if least < most:
        return f"{capacity.label} missed the SLO at {least:,.0f} requests/s and kept it at {most:,.0f}: windows differ."
    return ""
