"""The windows of a campaign as they come: those of its plan, or those of a search, where each depends on the last.

Capacity and demand as Theodolite defines them (Henning and Hasselbring 2022, Empirical Software Engineering 27, 143):
the capacity of a resource is the highest load at which it keeps the service level, the demand of a load the least
resource that does. Every probe is a window of its own on a renewed cluster, so none inherits the other's backlog.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from loadgen.campaign import RATE, Campaign, PlannedWindow, Search, configuration_name
from loadgen.knee import Trial, knee
from loadgen.outlook import left_s

WIDTH_MAX = 0.06
"""A search ends early when its 95 % interval is narrower than this share: two thirds of what is asked of a live one."""


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

    def keeps(self, search: Search) -> bool:
        return self.p99_ms < search.p99_ms and self.error_share < search.error_share


Course = Generator[Step, Served, None]


def course(campaign: Campaign) -> Course:
    """Takes what became of each window before it gives the next one."""
    plan = campaign.plan()
    if campaign.search is None:
        for planned in plan:
            yield Step(planned, left_s(plan, planned.position))
        return
    by_configuration: dict[str, list[PlannedWindow]] = {}
    for planned in plan:
        by_configuration.setdefault(configuration_name(planned.parameters), []).append(planned)
    left = len(plan)
    position = 0
    for windows in by_configuration.values():
        trials: list[Trial] = []
        for planned in windows:
            left -= 1
            probe = _probe(planned, campaign.search, trials, position)
            served = yield Step(probe, left_s(plan, len(plan) - 1 - left))
            position += 1
            trials.append(Trial(probe.parameters[RATE], served.keeps(campaign.search)))
            if knee(campaign.search.from_per_s, campaign.search.to_per_s, trials).width < WIDTH_MAX:
                left -= len(windows) - len(trials)
                break


def _probe(planned: PlannedWindow, search: Search, trials: Sequence[Trial], position: int) -> PlannedWindow:
    rate = float(f"{knee(search.from_per_s, search.to_per_s, trials).rate_per_s:.4g}")
    repetition = 1 + sum(trial.rate_per_s == rate for trial in trials)
    parameters = {**planned.parameters, RATE: rate}
    return replace(
        planned,
        name=f"{configuration_name(parameters)}/{repetition}",
        parameters=parameters,
        repetition=repetition,
        position=position,
        load=planned.load.with_overrides({RATE.removeprefix("load."): rate}),
    )
