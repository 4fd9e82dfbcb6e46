"""What an alarm posts: the document and subject to SNS, the event to Lambda, as AWS words them."""

from __future__ import annotations

import json
import uuid
from typing import Any

from alerts.cloudwatch.alarm import Alarm, text_of

REGIONS = {
    "us-east-1": "US East (N. Virginia)", "us-east-2": "US East (Ohio)", "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)", "eu-west-1": "EU (Ireland)", "eu-west-2": "EU (London)",
    "eu-central-1": "EU (Frankfurt)", "ap-southeast-1": "Asia Pacific (Singapore)",
    "ap-northeast-1": "Asia Pacific (Tokyo)",
}  # fmt: skip
SUBJECT_MAX = 100


def subject(alarm: Alarm) -> str:
    return f'{alarm.state}: "{alarm.name}" in {REGIONS.get(alarm.region, alarm.region)}'[:SUBJECT_MAX]


def document(alarm: Alarm, before: Alarm) -> dict[str, Any]:
    """`before`: the alarm in the state that it left."""
    asked = alarm.asked
    told: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": asked.get("AlarmDescription"),
        "AWSAccountId": alarm.account,
        "AlarmConfigurationUpdatedTimestamp": text_of(alarm.configured_s),
        "NewStateValue": alarm.state.value,
        "NewStateReason": alarm.reason,
        "StateChangeTime": text_of(alarm.updated_s),
        "Region": REGIONS.get(alarm.region, alarm.region),
        "AlarmArn": alarm.arn,
        "OldStateValue": before.state.value,
        "OKActions": asked.get("OKActions", []),
        "AlarmActions": asked.get("AlarmActions", []),
        "InsufficientDataActions": asked.get("InsufficientDataActions", []),
        "ActionExecutedAfterMuteWindow": False,
    }
    if not alarm.is_composite:
        return told | {"Trigger": trigger(alarm)}
    children = json.loads(alarm.reason_data or '{"triggeringAlarms": []}')["triggeringAlarms"]
    triggering = [
        {"Arn": child["arn"], "State": {"Value": child["state"]["value"], "Timestamp": child["state"]["timestamp"]}}
        for child in children
    ]
    return told | {"AlarmRule": asked["AlarmRule"], "TriggeringChildren": triggering}


def trigger(alarm: Alarm) -> dict[str, Any]:
    asked = alarm.asked
    plain = "Statistic" in asked
    told: dict[str, Any] = {
        "MetricName": asked["MetricName"],
        "Namespace": asked["Namespace"],
        "StatisticType": "Statistic" if plain else "ExtendedStatistic",
        ("Statistic" if plain else "ExtendedStatistic"): asked["Statistic"].upper()
        if plain
        else asked["ExtendedStatistic"],
        "Unit": asked.get("Unit"),
        "Dimensions": [{"value": each["Value"], "name": each["Name"]} for each in asked.get("Dimensions", [])],
        "Period": asked["Period"],
        "EvaluationPeriods": alarm.periods,
    }
    if "DatapointsToAlarm" in asked:
        told["DatapointsToAlarm"] = alarm.to_alarm
    return told | {
        "ComparisonOperator": asked["ComparisonOperator"],
        "Threshold": float(asked["Threshold"]),
        "TreatMissingData": alarm.missing.value,
        "EvaluateLowSampleCountPercentile": asked.get("EvaluateLowSampleCountPercentile", ""),
    }


def lambda_event(alarm: Alarm, before: Alarm) -> dict[str, Any]:
    asked = alarm.asked
    configuration: dict[str, Any] = {}
    if "AlarmDescription" in asked:
        configuration["description"] = asked["AlarmDescription"]
    if alarm.is_composite:
        configuration["alarmRule"] = asked["AlarmRule"]
    else:
        dimensions = {each["Name"]: each["Value"] for each in asked.get("Dimensions", [])}
        metric = {"namespace": asked["Namespace"], "name": asked["MetricName"], "dimensions": dimensions}
        stat = asked.get("Statistic") or asked["ExtendedStatistic"]
        measured = {"metric": metric, "period": asked["Period"], "stat": stat}
        configuration["metrics"] = [{"id": str(uuid.uuid4()), "metricStat": measured, "returnData": True}]
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.arn,
        "accountId": alarm.account,
        "time": text_of(alarm.updated_s),
        "region": alarm.region,
        "alarmData": {
            "alarmName": alarm.name,
            "state": state_of(alarm),
            "previousState": state_of(before),
            "configuration": configuration,
        },
    }


def state_of(alarm: Alarm) -> dict[str, Any]:
    told = {"value": alarm.state.value, "reason": alarm.reason, "timestamp": text_of(alarm.updated_s)}
    return told | ({"reasonData": alarm.reason_data} if alarm.reason_data else {})
