"""The CloudWatch API by name, as far as alarms need it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from alerts.aws.errors import AwsError
from alerts.cloudwatch import rule
from alerts.cloudwatch.alarm import COMPARISONS, Alarm, Missing, State, Verdict
from alerts.cloudwatch.alarms import Alarms
from alerts.cloudwatch.series import Series, key_of
from alerts.sns.model import Caller
from alerts.sns.state import Store

DATA_MAX = 1_000
OWN = frozenset({"Tags"})
NOT_HERE = frozenset({"Metrics", "ThresholdMetricId", "EvaluationCriteria"})
PERIODS_S = (10, 20, 30)

Answer = dict[str, Any]


class CloudWatch:
    def __init__(self, alarms: Alarms, series: Series, store: Store) -> None:
        self._alarms, self._series, self._store = alarms, series, store
        self._tags: dict[str, dict[str, str]] = dict(store.all("alarm_tags"))
        self._actions: dict[str, Callable[[Caller, Mapping[str, Any]], Answer]] = {
            "PutMetricData": self._put_metric_data,
            "PutMetricAlarm": self._put_metric_alarm,
            "PutCompositeAlarm": self._put_composite_alarm,
            "DeleteAlarms": self._delete_alarms,
            "DescribeAlarms": self._describe_alarms,
            "DescribeAlarmsForMetric": self._describe_alarms_for_metric,
            "DescribeAlarmHistory": self._describe_alarm_history,
            "SetAlarmState": self._set_alarm_state,
            "EnableAlarmActions": lambda caller, asked: self._enable(caller, asked, True),
            "DisableAlarmActions": lambda caller, asked: self._enable(caller, asked, False),
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
            "ListTagsForResource": self._list_tags,
        }

    def do(self, operation: str, caller: Caller, asked: Mapping[str, Any]) -> Answer:
        """Raises AwsError."""
        if operation not in self._actions:
            raise AwsError("InvalidAction", f"{operation} is not done here")
        return self._actions[operation](caller, asked)

    def _put_metric_data(self, caller: Caller, asked: Mapping[str, Any]) -> Answer:
        data = asked.get("MetricData", [])
        if len(data) > DATA_MAX:
            raise AwsError("InvalidParameterValue", f"The collection MetricData must not have more than {DATA_MAX}.")
        for datum in data:
            self._series.put(caller.region, asked["Namespace"], datum, time.time())
        return {}

    def _put_metric_alarm(self, caller: Caller, asked: Mapping[str, Any]) -> Answer:
        check_metric_alarm(asked)
        return self._put(caller, asked)

    def _put_composite_alarm(self, caller: Caller, asked: Mapping[str, Any]) -> Answer:
        _, named = rule.parse(asked["AlarmRule"])
        for name in named:
            if self._found(caller, name) is None:
                raise invalid(f"Could not save the composite alarm as alarm {name} does not exist")
        return self._put(caller, asked)

    def _put(self, caller: Caller, asked: Mapping[str, Any]) -> Answer:
        arn = arn_of(caller, asked["AlarmName"])
        if "Tags" in asked and arn not in self._alarms.by_arn:
            self._keep_tags(arn, {tag["Key"]: tag["Value"] for tag in asked["Tags"]})
        self._alarms.put(arn, {name: value for name, value in asked.items() if name not in OWN})
        return {}

    def _delete_alarms(self, caller: Caller, asked: Mapping[str, Any]) -> Answer:
        for name in asked["AlarmNames"]:
            self._alarms.drop(arn_of(caller, name))
            self._keep_tags(arn_of(caller, name), {})
        return {}

    def _found(self, caller: Caller, name: str) -> Alarm | None:
        return self._alarms.by_arn.get(name if name.startswith("arn:") else arn_of(caller, name))

    def _describe_alarms(self, caller: Caller, asked: Mapping[str, Any]) -> Answer:
        names, prefix = asked.get("AlarmNames"), asked.get("AlarmNamePrefix", "")
        alarms = [
            alarm
            for alarm in self._alarms.by_arn.values()
            if alarm.region == caller.region
            and alarm.name.startswith(prefix)
            and (not names or alarm.name in names)
            and asked.get("StateValue") in (None, alarm.state.value)
        ]
        kinds = asked.get("AlarmTypes", ["MetricAlarm", "CompositeAlarm"] if names else ["MetricAlarm"])
        return {
            f"{kind}s": [described(alarm) for alarm in alarms if alarm.is_composite is (kind == "CompositeAlarm")]
            if kind in kinds
            else []
            for kind in ("MetricAlarm", "CompositeAlarm")
        }

    def _describe_alarms_for_metric(self, caller: Caller, asked: Mapping[str, Any]) -> Answer:
        wanted = key_of(caller.region, asked["Namespace"], asked)
        metric = [alarm for alarm in self._alarms.by_arn.values() if not alarm.is_composite]
        of_it = [a for a in metric if key_of(a.region, a.asked["Namespace"], a.asked) == wanted]
        return {"MetricAlarms": [described(alarm) for alarm in of_it]}

    def _describe_alarm_history(self, caller: Caller, asked: Mapping[str, Any]) -> Answer:
        items = [
            {
                "AlarmName": past.alarm.name,
                "AlarmType": "CompositeAlarm" if past.alarm.is_composite else "MetricAlarm",
                "Timestamp": moment(past.at_s),
                "HistoryItemType": "StateUpdate",
                "HistorySummary": f"Alarm updated from {past.before.state} to {past.alarm.state}",
                "HistoryData": json.dumps(
                    {"version": "1.0", "oldState": in_history(past.before), "newState": in_history(past.alarm)}
                ),
            }
            for past in reversed(self._alarms.history)
            if past.alarm.region == caller.region and asked.get("AlarmName") in (None, past.alarm.name)
        ]
        kind = asked.get("HistoryItemType")
        return {"AlarmHistoryItems": items if kind in (None, "StateUpdate") else []}

    def _set_alarm_state(self, caller: Caller, asked: Mapping[str, Any]) -> Answer:
        value = asked["StateValue"]
        if value not in set(State):
            states = ", ".join(State)
            raise invalid(
                f"1 validation error detected: Value '{value}' at 'stateValue' failed to satisfy constraint: Member"
                f" must satisfy enum value set: [{states}]"
            )
        alarm = self._found(caller, asked["AlarmName"])
        if alarm is None:
            raise AwsError("ResourceNotFound", "", 404)
        data = json.loads(asked["StateReasonData"]) if asked.get("StateReasonData") else None
        self._alarms.transit(alarm, Verdict(State(value), asked["StateReason"], data))
        return {}

    def _enable(self, caller: Caller, asked: Mapping[str, Any], acts: bool) -> Answer:
        for name in asked["AlarmNames"]:
            alarm = self._found(caller, name)
            if alarm is not None:
                changed = replace(alarm, asked={**alarm.asked, "ActionsEnabled": acts})
                self._alarms.put(alarm.arn, changed.asked)
        return {}

    def _keep_tags(self, arn: str, tags: dict[str, str]) -> None:
        self._tags[arn] = tags
        self._store.put("alarm_tags", arn, tags)

    def _tag_resource(self, _: Caller, asked: Mapping[str, Any]) -> Answer:
        arn = self._there(asked["ResourceARN"])
        self._keep_tags(arn, self._tags.get(arn, {}) | {tag["Key"]: tag["Value"] for tag in asked["Tags"]})
        return {}

    def _untag_resource(self, _: Caller, asked: Mapping[str, Any]) -> Answer:
        arn = self._there(asked["ResourceARN"])
        kept = {key: value for key, value in self._tags.get(arn, {}).items() if key not in asked["TagKeys"]}
        self._keep_tags(arn, kept)
        return {}

    def _list_tags(self, _: Caller, asked: Mapping[str, Any]) -> Answer:
        tags = self._tags.get(asked["ResourceARN"], {})
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _there(self, arn: str) -> str:
        if arn not in self._alarms.by_arn:
            raise AwsError("ResourceNotFoundException", f"{arn} does not exist", 404)
        return arn


def check_metric_alarm(asked: Mapping[str, Any]) -> None:
    """Raises AwsError."""
    not_here = sorted(NOT_HERE & asked.keys())
    if not_here:
        raise invalid(f"{', '.join(not_here)}: alarms on expressions are not evaluated here")
    lacking = sorted({"MetricName", "Namespace", "Period", "Threshold"} - asked.keys())
    if lacking:
        raise invalid(f"The parameters {', '.join(lacking)} are required for an alarm on a metric")
    if ("Statistic" in asked) is ("ExtendedStatistic" in asked):
        raise invalid("Exactly one of Statistic and ExtendedStatistic must be given")
    if asked["ComparisonOperator"] not in COMPARISONS:
        raise invalid(f"ComparisonOperator must be one of {', '.join(COMPARISONS)}")
    if asked.get("TreatMissingData", Missing.MISSING) not in set(Missing):
        raise invalid(f"TreatMissingData must be one of {', '.join(Missing)}")
    if asked["Period"] not in PERIODS_S and (asked["Period"] < 60 or asked["Period"] % 60):
        raise invalid("Period must be 10, 20, 30 or a multiple of 60")
    if not 1 <= asked.get("DatapointsToAlarm", 1) <= asked["EvaluationPeriods"]:
        raise invalid("DatapointsToAlarm must be between 1 and EvaluationPeriods")


def invalid(said: str) -> AwsError:
    return AwsError("ValidationError", said, json_code="ValidationException")


def arn_of(caller: Caller, name: str) -> str:
    return f"arn:aws:cloudwatch:{caller.region}:{caller.account}:alarm:{name}"


def described(alarm: Alarm) -> Answer:
    told = {
        "AlarmArn": alarm.arn,
        "ActionsEnabled": alarm.acts,
        "AlarmConfigurationUpdatedTimestamp": moment(alarm.configured_s),
        "StateValue": alarm.state.value,
        "StateReason": alarm.reason,
        "StateUpdatedTimestamp": moment(alarm.updated_s),
        "StateTransitionedTimestamp": moment(alarm.transitioned_s),
        **{name: [] for name in ("OKActions", "AlarmActions", "InsufficientDataActions")},
        **({} if alarm.is_composite else {"Dimensions": []}),
        **alarm.asked,
    }
    return told | ({"StateReasonData": alarm.reason_data} if alarm.reason_data else {})


def in_history(alarm: Alarm) -> dict[str, Any]:
    told: dict[str, Any] = {"stateValue": alarm.state.value, "stateReason": alarm.reason}
    return told | ({"stateReasonData": json.loads(alarm.reason_data)} if alarm.reason_data else {})


def moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
