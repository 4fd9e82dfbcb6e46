"""What a campaign is going to do, before it does it: `lab run --dry-run`. Pure; the duration is an estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadgen import arrivals
from loadgen.campaign import Campaign, PlannedWindow, Prove

START_S = 20.0
"""From nothing to a cluster that answers, and the facts of the machine."""
AROUND_S = 8.0
"""A window's renewal before it and its collecting and reconciling after it, as seen on two cores."""


@dataclass(frozen=True, slots=True)
class Line:
    """One window of the plan. `requests` are those due by the schedule, the warm-up's too; None in a closed loop."""

    window: str
    users: int | None
    rate_per_s: float | None
    requests: int | None
    warm_up_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Outlook:
    campaign: str
    title: str
    lines: tuple[Line, ...]
    under_load_s: float
    proof_s: float
    """Of the turns of a proof, after the windows."""
    total_s: float


def outlook(campaign: Campaign, levers: int = 0) -> Outlook:
    """`levers`: how many a proof is to turn."""
    plan = campaign.plan()
    proof_s = AROUND_S + (campaign.prove or Prove()).duration_s(levers) if levers else 0.0
    under_load_s = sum(each.load.warm_up_s + each.load.duration_s for each in plan)
    return Outlook(
        campaign=campaign.name,
        title=campaign.title,
        lines=tuple(_line(each, campaign.seed) for each in plan),
        under_load_s=under_load_s,
        proof_s=proof_s,
        total_s=START_S + AROUND_S * len(plan) + under_load_s + proof_s,
    )


def left_s(plan: Sequence[PlannedWindow], position: int) -> float:
    """What is still to come after the window at `position`."""
    rest = plan[position + 1 :]
    return sum(AROUND_S + each.load.warm_up_s + each.load.duration_s for each in rest)


def _line(planned: PlannedWindow, seed: int) -> Line:
    load = planned.load
    due = (
        sum(len(moments) for moments in arrivals.schedule(load.arrivals, seed, load.warm_up_s, load.duration_s))
        if load.arrivals
        else None
    )
    return Line(planned.name, load.users, load.rate_per_s(seed), due, load.warm_up_s, load.duration_s)


def clock(seconds: float) -> str:
    """`45 s`, `3 min 5 s`, `1 h 2 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def text(plan: Outlook) -> list[str]:
    """For people, a line a window."""
    lines = [f"{plan.campaign}: {plan.title}"]
    width = max(len(line.window) for line in plan.lines)
    for number, line in enumerate(plan.lines, 1):
        load = f"{line.users} users" if line.users else f"{line.rate_per_s:,.0f} requests/s, {line.requests:,} due"
        lines.append(
            f"{number:>4}  {line.window:<{width}}  {load}, warm-up {line.warm_up_s:g} s, measured {line.duration_s:g} s"
        )
    if plan.proof_s:
        lines.append(f"      then a proof on the live cluster, {clock(plan.proof_s)}")
    under_load, total = clock(plan.under_load_s), clock(plan.total_s)
    return [*lines, f"{len(plan.lines)} windows, {under_load} under load, about {total} in all"]
