"""The state that a metric alarm's data asks for. Pure.

How CloudWatch treats missing data: it looks at a few periods more than it evaluates. Where enough of them have data,
the newest are taken and the gaps do not matter; else the gaps are filled as the alarm says.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html (its two tables are tests)
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from alerts.cloudwatch.alarm import COMPARISONS, Alarm, Missing, State, Verdict, text_of
from alerts.cloudwatch.series import Point

EXTRA_PERIODS = 2
"""Beyond the evaluated ones, as in AWS's examples."""


def evaluate(alarm: Alarm, points: list[Point], period_s: float, now_s: float) -> Verdict | None:
    """`points`: of the last periods + EXTRA_PERIODS, oldest first. None: it stays as it is."""
    taken = points[-alarm.periods :]
    lacking = alarm.periods - len(taken)
    if not taken:
        return without_data(alarm, period_s, now_s)
    breaching = [point for point in taken if alarm.breaches(point.value)]
    fills = {Missing.BREACHING: lacking}.get(alarm.missing, 0)
    if len(breaching) + fills >= alarm.to_alarm:
        return judged(alarm, State.ALARM, taken, breaching, period_s, now_s)
    undecided = lacking and len(breaching) == len(taken)
    if undecided and alarm.missing is Missing.IGNORE:
        return None
    if undecided and alarm.missing is Missing.MISSING:
        newest_end = math.floor(now_s / period_s) * period_s
        age = round((newest_end - breaching[0].at_s) / period_s)
        if age < alarm.to_alarm:  # the next one may still be good
            return None
        return judged(alarm, State.ALARM, taken, breaching, period_s, now_s)
    return judged(alarm, State.OK, taken, [p for p in taken if p not in breaching], period_s, now_s)


def without_data(alarm: Alarm, period_s: float, now_s: float) -> Verdict | None:
    if alarm.missing is Missing.IGNORE:
        return None
    many = "s" if alarm.periods > 1 else ""
    data = reason_data(alarm, [], period_s, now_s)
    if alarm.missing is Missing.MISSING:
        verb = "were" if alarm.periods > 1 else "was"
        said = f"Insufficient Data: {alarm.periods} datapoint{many} {verb} unknown."
        return Verdict(State.INSUFFICIENT_DATA, said, data)
    breaching = alarm.missing is Missing.BREACHING
    treated = "Breaching" if breaching else "NonBreaching"
    verb = "were" if alarm.periods > 1 else "was"
    said = (
        f"Threshold Crossed: no datapoints were received for {alarm.periods} period{many} and {alarm.periods} missing"
        f" datapoint{many} {verb} treated as [{treated}]."
    )
    return Verdict(State.ALARM if breaching else State.OK, said, data)


def judged(
    alarm: Alarm, state: State, taken: list[Point], telling: list[Point], period_s: float, now_s: float
) -> Verdict:
    """With AWS's sentence about the points that tell."""
    words = COMPARISONS[alarm.asked["ComparisonOperator"]][1]
    shown = ", ".join(f"{point.value} ({day_of(point.at_s)})" for point in reversed(telling))
    count = f"{len(telling)} datapoint{'s' if len(telling) > 1 else ''}"
    least = ""
    if alarm.to_alarm < alarm.periods or len(telling) < alarm.periods:
        count = f"{len(telling)} out of the last {alarm.periods} datapoints"
        turn = "OK -> ALARM" if state is State.ALARM else "ALARM -> OK"
        least = f" (minimum {alarm.to_alarm if state is State.ALARM else 1} datapoints for {turn} transition)"
    verb = "were" if len(telling) > 1 else "was"
    negated = "" if state is State.ALARM else "not "
    said = (
        f"Threshold Crossed: {count} [{shown}] {verb} {negated}{words} the threshold"
        f" ({float(alarm.asked['Threshold'])}){least}."
    )
    return Verdict(state, said, reason_data(alarm, taken, period_s, now_s))


def reason_data(alarm: Alarm, taken: list[Point], period_s: float, now_s: float) -> dict[str, Any]:
    end = math.floor(now_s / period_s) * period_s
    if taken:
        evaluated: list[dict[str, Any]] = [
            {"timestamp": text_of(point.at_s), "sampleCount": point.count, "value": point.value}
            for point in reversed(taken)
        ]
    else:
        evaluated = [{"timestamp": text_of(end - n * period_s)} for n in range(1, alarm.periods + 1)]
    data: dict[str, Any] = {"version": "1.0", "queryDate": text_of(now_s)}
    if taken:
        data["startDate"] = text_of(taken[0].at_s)
    if "Unit" in alarm.asked:
        data["unit"] = alarm.asked["Unit"]
    return data | {
        "statistic": alarm.asked.get("Statistic") or alarm.asked["ExtendedStatistic"],
        "period": alarm.asked["Period"],
        "recentDatapoints": [point.value for point in taken],
        "threshold": float(alarm.asked["Threshold"]),
        "evaluatedDatapoints": evaluated,
    }


def day_of(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%d/%m/%y %H:%M:%S")
