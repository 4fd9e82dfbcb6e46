"""The windows of a campaign as they come: those of its plan, or those of a search, where each depends on the last.

Capacity and demand as Theodolite defines them (Henning and Hasselbring 2022, Empirical Software Engineering 27, 143):
the capacity of a resource is the highest load at which it keeps the service level, the demand of a load the least
resource that does. Every probe is a window of its own on a renewed cluster, so none inherits the other's backlog.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from loadgen.campaign import RATE, Campaign, PlannedWindow, Search, configuration_name
from loadgen.knee import Trial, knee, strain
from loadgen.outlook import left_s


@dataclass(frozen=True, slots=True)
class Step:
    """A window to load now; what may come after it takes `rest_s` at most."""

    planned: PlannedWindow
    rest_s: float


@dataclass(frozen=True, slots=True)
class Served:
    """How a window was served: p99 from the intended send time of what was answered, and the share that was not."""

    p99_ms: float
    error_share: float

    def strain(self, search: Search) -> float:
        return strain(self.p99_ms, self.error_share, search.p99_ms, search.error_share)


Course = Generator[Step, Served, None]


def course(campaign: Campaign) -> Course:
    """Takes what became of each window before it gives the next one."""
    plan = campaign.plan()
    if campaign.search is None:
        for planned in plan:
            yield Step(planned, left_s(plan, planned.position))
        return
    trials: dict[str, list[Trial]] = {}
    for planned in plan:
        told = trials.setdefault(configuration_name(planned.parameters), [])
        probe = _probe(planned, campaign.search, told)
        served = yield Step(probe, left_s(plan, planned.position))
        told.append(Trial(probe.parameters[RATE], served.strain(campaign.search)))


def _probe(planned: PlannedWindow, search: Search, trials: Sequence[Trial]) -> PlannedWindow:
    rate = float(f"{knee(search.from_per_s, search.to_per_s, trials).rate_per_s:.4g}")
    repetition = 1 + sum(trial.rate_per_s == rate for trial in trials)
    parameters = {**planned.parameters, RATE: rate}
    return replace(
        planned,
        name=f"{configuration_name(parameters)}/{repetition}",
        parameters=parameters,
        repetition=repetition,
        load=planned.load.with_overrides({RATE.removeprefix("load."): rate}),
    )
