"""A drill: a fault and, as a timeline, what must be told of it. Read from alerts/drills/NAME.yaml; judging is pure.

    fault: {kind: freeze, part: gateway-1}
    timeline: |
      at 0 s: expect page GatewayHung severity=page via sns within 6 s
      at 10 s: revert
      by 40 s: resolved
      nothing else but AckLatencyBurn

Seconds count from the moment the fault is in force. `via sns` is HTTP, SQS and Lambda, each of them; `via pagerduty`
the second channel. Whatever else is told meanwhile, and is not named at the end, is collateral and fails the drill
(a slower burn of the same budget follows from a faster one and needs no naming).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from alerts.slo import entailed
from deploy.documents import load
from deploy.faults.catalogue import AnyFault

DRILLS = Path(__file__).parent / "drills"
SYMPTOM_WAITS_S = 4.0
"""The group_wait of symptoms in deploy/observability/alertmanager.yml."""
CHANNELS = {"sns": ("http", "sqs", "lambda"), "pagerduty": ("pagerduty",)}
TOLD_WITHIN_S = 3.0
"""From the moment that an alert is due until a subscriber has it."""
SEEN_WITHIN_S = 1.25
"""A scrape of the gateways and an evaluation: so much later than theory a burn-rate alert may fire."""
LINES = {
    "expect": re.compile(
        r"at (\d+) s: expect (page|ticket) (\w+) severity=(page|ticket) via (sns|pagerduty) within (\d+) s"
    ),
    "revert": re.compile(r"at (\d+) s: revert"),
    "resolved": re.compile(r"by (\d+) s: resolved"),
    "nothing": re.compile(r"nothing else(?: but (\w+(?:, \w+)*))?"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timeline:
    alert: str
    severity: str
    channels: tuple[str, ...]
    told_by_s: float
    revert_s: float
    resolved_by_s: float
    consequences: frozenset[str]
    """Alerts that the fault may cause as well."""

    @classmethod
    def parse(cls, text: str) -> Timeline:
        """Raises ValueError with every line that is not understood and every one that lacks."""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        found = {name: match for name, form in LINES.items() for line in lines if (match := form.fullmatch(line))}
        odd = [line for line in lines if not any(form.fullmatch(line) for form in LINES.values())]
        wrong = [f"does not understand {line!r}; the forms are in alerts/drill.py" for line in odd]
        wrong += [f"has no line for {name}; add one as in alerts/drill.py" for name in LINES if name not in found]
        if wrong:
            raise ValueError("; ".join(wrong))
        at, kind, alert, severity, via, within = found["expect"].groups()
        if kind != severity:
            raise ValueError(f"expects a {kind} of severity {severity}; make them one")
        return cls(
            alert, severity, CHANNELS[via], float(at) + float(within), float(found["revert"][1]),
            float(found["resolved"][1]), frozenset((found["nothing"][1] or "").split(", ")) - {""},
        )  # fmt: skip


class Drill(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    fault: AnyFault
    timeline: Timeline
    bad_share: Annotated[float, Field(gt=0, le=1)] | None = None
    """Of a burn-rate alert: the share of orders that the fault makes bad; from it comes the prediction."""
    due_s: Annotated[float, Field(ge=0)] = 0.0
    """How long the fault takes to bring about what the rule looks for; `for` comes after it."""
    rate_per_s: Annotated[float, Field(gt=0)] = 60.0
    """Orders sent meanwhile."""
    besides: AnyFault | None = None
    """Another fault, struck before: the one under which this one shows."""
    near_miss: AnyFault | None = None
    """A lesser fault, of which nobody may be told."""

    @field_validator("timeline", mode="before")
    @classmethod
    def _parsed(cls, given: Any) -> Timeline:
        return Timeline.parse(str(given))


def read_drill(name: str) -> Drill:
    """Raises DocumentError with every fault."""
    return load(Drill, DRILLS / f"{name}.yaml")


@dataclass(frozen=True, slots=True)
class Told:
    """One alert in one message: `at_s` since the fault was in force."""

    at_s: float
    channel: str
    topic: str
    """Of SNS; empty where it came past it."""
    alert: str
    severity: str
    is_firing: bool
    fired_s: float | None = None
    """When the rule fired, as the message says it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a drill; `problems` is empty where it is proven."""

    rule: str
    fault: str
    predicted_s: float
    detection_s: float | None
    told_s: dict[str, float]
    resolved_s: dict[str, float]
    collateral: tuple[str, ...]
    problems: tuple[str, ...]
    is_burn: bool
    severity: str
    fired_s: float | None = None
    remedied_s: float | None = None
    """When a machine had done what it may do about it."""


def first(told: Iterable[Told], alert: str, is_firing: bool) -> dict[str, float]:
    """Channel → when it was first told."""
    found: dict[str, float] = {}
    for each in told:
        if each.alert == alert and each.is_firing is is_firing:
            found.setdefault(each.channel, each.at_s)
    return found


def is_resolved(drill: Drill, told: list[Told]) -> bool:
    """At every channel, after its last firing."""
    timeline = drill.timeline
    last = {each.channel: each.is_firing for each in told if each.alert == timeline.alert}
    return all(last.get(channel) is False for channel in timeline.channels)


def detection_p95_s(outcomes: Iterable[Outcome]) -> float | None:
    """Of threshold alerts, less `for`, a symptom's wait and `due_s`, what the fault itself takes; 3 s are allowed."""
    found = sorted(o.detection_s - o.predicted_s + TOLD_WITHIN_S for o in outcomes if o.detection_s and not o.is_burn)
    return round(found[math.ceil(0.95 * len(found)) - 1], 2) if found else None


def judge(rule: str, drill: Drill, told: list[Told], predicted_s: float, problems: list[str]) -> Outcome:
    """`problems`: what went wrong with the fault itself. A burn-rate alert may not come before its time either.

    Of such a one theory is about the rule, which may be late by a scrape and an evaluation; then it is told, at once or
    after its group's wait: Prometheus repeats an end for 15 minutes, and so long Alertmanager keeps the group.
    """
    timeline = drill.timeline
    mine = [t for t in told if t.alert == timeline.alert and t.channel in timeline.channels]
    firing = first(mine, timeline.alert, True)
    ended = {t.channel: t.at_s for t in mine if not t.is_firing} if is_resolved(drill, told) else {}
    others = {each.alert for each in told if each.is_firing} - {timeline.alert}
    allowed = timeline.consequences | entailed({timeline.alert, *timeline.consequences})
    collateral = tuple(sorted(others - allowed))
    found = [
        *problems,
        *(f"{channel} was told nothing" for channel in timeline.channels if channel not in firing),
        *_late("was told", firing, timeline.told_by_s),
        *(f"{channel} never heard the end" for channel in timeline.channels if channel not in ended),
        *_late("heard the end", ended, timeline.resolved_by_s),
        *(f"{name} was told as well" for name in collateral),
    ]
    severities, topics = {each.severity for each in mine}, {each.topic for each in mine}
    found += [f"has severity {s}, not {timeline.severity}" for s in severities - {"", timeline.severity}]
    found += [f"came by the topic {t}, not {timeline.severity}" for t in topics - {"", timeline.severity}]
    detection_s = min(firing.values(), default=None)
    fired_s = min((t.fired_s for t in mine if t.fired_s is not None), default=None)
    if drill.bad_share and fired_s is not None and detection_s is not None:
        found += _unlike_theory(fired_s, detection_s, predicted_s)
    return Outcome(
        rule, drill.fault.kind, predicted_s, detection_s, first(told, timeline.alert, True), ended, collateral,
        tuple(found), drill.bad_share is not None, timeline.severity, fired_s,
    )  # fmt: skip


def _unlike_theory(fired_s: float, told_s: float, predicted_s: float) -> list[str]:
    tolerance_s = max(1.0, 0.1 * predicted_s)
    found = []
    if not predicted_s - tolerance_s <= fired_s <= predicted_s + tolerance_s + SEEN_WITHIN_S:
        found.append(f"fired after {fired_s:.1f} s, theory says {predicted_s:.1f} s")
    if told_s > fired_s + SYMPTOM_WAITS_S + TOLD_WITHIN_S:
        found.append(f"was told {told_s - fired_s:.1f} s after it fired")
    return found


def _late(what: str, at_s: dict[str, float], by_s: float) -> list[str]:
    return [f"{channel} {what} after {s:.1f} s, not by {by_s:g} s" for channel, s in at_s.items() if s > by_s]
