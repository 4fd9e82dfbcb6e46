"""All alarms with their states: transitions, what is posted because of them, their history. Kept in the store.

Metric alarms are evaluated on a clock, composite ones whenever another alarm has changed.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from alerts.cloudwatch import rule
from alerts.cloudwatch.alarm import ACTIONS, INITIAL_REASON, Alarm, State, Verdict, text_of
from alerts.cloudwatch.evaluate import EXTRA_PERIODS, evaluate
from alerts.cloudwatch.series import Series
from alerts.sns.state import Store

HISTORY_MAX = 1_000
Act = Callable[[str, Alarm, Alarm], None]
"""ARN of an action, the alarm, the alarm before: carries it out, or sees to it that it is."""


@dataclass(frozen=True, slots=True)
class Transition:
    at_s: float
    alarm: Alarm
    before: Alarm


class Alarms:
    """`time_scale` divides every period, so that an alarm of six hours can be seen in seconds."""

    def __init__(self, store: Store, series: Series, act: Act, clock_s: Callable[[], float], time_scale: float) -> None:
        self._store, self._series, self._act = store, series, act
        self._clock_s, self._time_scale = clock_s, time_scale
        self.by_arn: dict[str, Alarm] = {
            arn: Alarm(**{**kept, "state": State(kept["state"])}) for arn, kept in store.all("alarm")
        }
        self.history: deque[Transition] = deque(maxlen=HISTORY_MAX)

    def put(self, arn: str, asked: Mapping[str, Any]) -> None:
        """A new one, or another configuration of one that is there, which keeps its state."""
        now = self._clock_s()
        there = self.by_arn.get(arn)
        if there:
            self._keep(replace(there, asked=asked, configured_s=now))
        else:
            self._keep(Alarm(arn, asked, now, State.INSUFFICIENT_DATA, INITIAL_REASON, None, now, now))
        if "AlarmRule" in asked:
            self._evaluate_composite(self.by_arn[arn], None)

    def drop(self, arn: str) -> None:
        if self.by_arn.pop(arn, None):
            self._store.drop("alarm", arn)

    def _keep(self, alarm: Alarm) -> None:
        self.by_arn[alarm.arn] = alarm
        self._store.put("alarm", alarm.arn, asdict(alarm))

    async def run(self, every_s: float) -> None:
        """Evaluate until cancelled."""
        while True:
            self.evaluate()
            await asyncio.sleep(every_s)

    def evaluate(self) -> None:
        now = self._clock_s()
        for alarm in [kept for kept in self.by_arn.values() if not kept.is_composite]:
            period_s = alarm.asked["Period"] / self._time_scale
            count = alarm.periods + EXTRA_PERIODS
            points = self._series.points(alarm.region, alarm.asked, period_s, now, count)
            began = now - alarm.configured_s >= period_s * alarm.periods
            if not points and not began and alarm.state is State.INSUFFICIENT_DATA:
                continue  # it has not watched for as long as it has to
            verdict = evaluate(alarm, points, period_s, now)
            if verdict is not None and verdict.state is not alarm.state:
                self.transit(alarm, verdict)

    def transit(self, before: Alarm, verdict: Verdict) -> None:
        """Into that state, which may be the present one; actions follow a change only."""
        now = self._clock_s()
        changed = verdict.state is not before.state
        data = json.dumps(verdict.data, separators=(",", ":")) if verdict.data else None
        alarm = replace(
            before,
            state=verdict.state,
            reason=verdict.reason,
            reason_data=data,
            updated_s=now,
            transitioned_s=now if changed else before.transitioned_s,
        )
        self._keep(alarm)
        if not changed:
            return
        self.history.append(Transition(now, alarm, before))
        if alarm.acts:
            for arn in alarm.asked.get(ACTIONS[alarm.state], ()):
                self._act(arn, alarm, before)
        for composite in [kept for kept in self.by_arn.values() if kept.is_composite and kept.arn != alarm.arn]:
            if {alarm.name, alarm.arn} & set(rule.parse(composite.asked["AlarmRule"])[1]):
                self._evaluate_composite(composite, alarm)

    def _evaluate_composite(self, composite: Alarm, cause: Alarm | None) -> None:
        decides, _ = rule.parse(composite.asked["AlarmRule"])
        state = State.ALARM if decides(lambda name: self._state_of(name, composite)) else State.OK
        if state is composite.state:
            return
        if cause is None:
            self.transit(
                composite, Verdict(state, f"{composite.arn} was created and its alarm rule evaluates to {state}")
            )
            return
        at = datetime.fromtimestamp(cause.updated_s, UTC).strftime("%A %d %B, %Y %H:%M:%S UTC")
        told = {"arn": cause.arn, "state": {"value": cause.state.value, "timestamp": text_of(cause.updated_s)}}
        reason = f"{cause.arn} transitioned to {cause.state} at {at}"
        self.transit(composite, Verdict(state, reason, {"triggeringAlarms": [told]}))

    def _state_of(self, name: str, composite: Alarm) -> State:
        arn = name if name.startswith("arn:") else f"{composite.arn.rpartition(':')[0]}:{name}"
        return self.by_arn[arn].state if arn in self.by_arn else State.INSUFFICIENT_DATA
