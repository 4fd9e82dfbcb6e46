"""An alarm: what it was asked to watch, and the state it is in. Values; a transition makes a new one."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class State(StrEnum):
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    ALARM = "ALARM"
    OK = "OK"


class Missing(StrEnum):
    """What a period without data counts as."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


INITIAL_REASON = "Unchecked: Initial alarm creation"
ACTIONS = {State.ALARM: "AlarmActions", State.OK: "OKActions", State.INSUFFICIENT_DATA: "InsufficientDataActions"}
COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an evaluation found; `data` as AWS keeps it beside the reason."""

    state: State
    reason: str
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """`asked`: the parameters of PutMetricAlarm or PutCompositeAlarm. Times are wall clock seconds."""

    arn: str
    asked: Mapping[str, Any]
    configured_s: float
    state: State
    reason: str
    reason_data: str | None
    updated_s: float
    transitioned_s: float

    @property
    def name(self) -> str:
        return str(self.asked["AlarmName"])

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]

    @property
    def is_composite(self) -> bool:
        return "AlarmRule" in self.asked

    @property
    def acts(self) -> bool:
        return bool(self.asked.get("ActionsEnabled", True))

    @property
    def missing(self) -> Missing:
        return Missing(self.asked.get("TreatMissingData", Missing.MISSING))

    @property
    def periods(self) -> int:
        return int(self.asked["EvaluationPeriods"])

    @property
    def to_alarm(self) -> int:
        return int(self.asked.get("DatapointsToAlarm", self.periods))

    def breaches(self, value: float) -> bool:
        return COMPARISONS[self.asked["ComparisonOperator"]][0](value, self.asked["Threshold"])


def text_of(at_s: float) -> str:
    """As CloudWatch writes a time in its JSON: 2026-11-21T09:00:00.000+0000."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
