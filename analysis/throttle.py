"""The throttle in front of the gateways as the limit: what it refuses was offered, what it admits is its own figure."""

from __future__ import annotations

from analysis.capacity import topology_of
from analysis.finding import Bearing, Figure, Finding, Mechanism, percent
from analysis.measured import Configuration, configurations
from loadgen.record import Run

THROTTLED = "http_429"
REFUSED = 0.01
"""Share of the requests from which on a refusal is no accident of a burst."""


def throttle(run: Run) -> list[Finding]:
    return [found for each in configurations(run) if (found := _finding(run, each)) is not None]


def _finding(run: Run, configuration: Configuration) -> Finding | None:
    refused, whole = configuration.outcomes.get(THROTTLED, 0), sum(configuration.outcomes.values())
    if not refused:
        return None
    share = refused / whole
    admitted = configuration.outcomes.get("ok", 0) / configuration.measured_s
    return Finding(
        claim=f"The throttle refused {percent(share)} of the requests and admitted {admitted:,.0f}/s"
        f"{_set_to(run, configuration)}",
        component="throttle",
        mechanism=Mechanism.THROTTLE,
        status=Bearing.SUSPECTED if share >= REFUSED else Bearing.NOTED,
        configuration=configuration.name,
        evidence=(
            Figure("requests refused with 429", 100 * share, "%"),
            Figure("requests admitted", admitted, "requests/s"),
        ),
        doubt="What is behind the throttle may carry more: it was not asked to." if share >= REFUSED else "",
        next_step="Lift the throttle, or raise it in steps, to see what the gateways carry and which limit comes next.",
    )


def _set_to(run: Run, configuration: Configuration) -> str:
    window = configuration.windows[0]
    limits = topology_of(run, window).limits if run.topologies[window.name] else None
    if limits is None:
        return ""
    known = {"in all": limits.total_per_s, "a key": limits.per_key_per_s}
    said = [f"{limit} {name}" for name, limit in known.items() if limit is not None]
    return f", set to {' and '.join(said)}" if said else ""
