"""Scenarios: CloudWatch alarms."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from tests.alerts.oracle.aws import Aws, unique, until
from tests.alerts.oracle.replay import attempt, scenario
from tests.alerts.oracle.sns_lambda import arn
from tests.servers import json_lines

PREFIX = "test_cloudwatch.py::TestCloudwatch::test_"
DAY = re.compile(r"\(\d\d/\d\d/\d\d \d\d:\d\d:\d\d\)")


def put(aws: Aws, **more: Any) -> str:
    name = unique("alarm")
    asked = {
        "AlarmName": name, "MetricName": "metric1", "Namespace": unique("ns"), "Statistic": "Sum", "Threshold": 30.0,
        "EvaluationPeriods": 1, "Period": 60, "ComparisonOperator": "GreaterThanThreshold",
    }  # fmt: skip
    aws.cloudwatch.put_metric_alarm(**{**asked, **more})
    return name


def describe(aws: Aws, name: str) -> dict[str, Any]:
    answer = attempt(aws.cloudwatch.describe_alarms, AlarmNames=[name])
    for alarm in answer["MetricAlarms"]:
        alarm["StateReason"] = DAY.sub("(MM/DD/YY HH:MM:SS)", alarm["StateReason"])
    return answer


def state_of(aws: Aws, name: str) -> str:
    answer = aws.cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    (alarm,) = answer["MetricAlarms"] + answer["CompositeAlarms"]
    return str(alarm["StateValue"])


def watched(aws: Aws) -> tuple[str, str]:
    """A topic and the URL of the queue that it is read from."""
    topic, (url, queue) = aws.topic(), aws.queue()
    aws.subscribe(topic, queue)
    return topic, url


def posted(aws: Aws, url: str) -> Any:
    """What the alarm posted, its sentence without the moment."""
    text = json.loads(aws.receive(url)["Messages"][0]["Body"])["Message"]
    document = json.loads(text)
    document["NewStateReason"] = DAY.sub("(MM/DD/YY HH:MM:SS)", document["NewStateReason"])
    return document


def acting(topic: str, **more: Any) -> dict[str, Any]:
    return {
        "AlarmDescription": "testing cloudwatch alarms", "MetricName": "my-metric101", "Statistic": "Average",
        "Threshold": 2.0, "Period": 10, "EvaluationPeriods": 2, "Unit": "Seconds", "TreatMissingData": "ignore",
        "Dimensions": [{"Name": "InstanceId", "Value": "abc"}], "AlarmActions": [topic], "OKActions": [topic], **more,
    }  # fmt: skip


@scenario(PREFIX + "alarm_lambda_target")
def lambda_target(aws: Aws, _: str) -> dict[str, Any]:
    name = put(
        aws, MetricName="metric1", Namespace="namespace", Period=10, Statistic="Average", AlarmActions=[arn("note")],
        AlarmDescription="testing lambda alarm action",
    )  # fmt: skip
    aws.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="testing alarm")

    def invoked() -> list[Any]:
        events = json_lines(aws.stand.folder / "notes.jsonl")
        return [event for event in events if event.get("alarmData", {}).get("alarmName") == name]

    return {"lambda-alarm-invocations": until(invoked, "the alarm's function is invoked")[0]}


@scenario(PREFIX + "breaching_alarm_actions[json]")
def missing_breaches(aws: Aws, _: str) -> dict[str, Any]:
    topic, url = watched(aws)
    name = put(aws, **acting(topic, TreatMissingData="breaching"))
    until(lambda: state_of(aws, name) == "ALARM", "missing data breaches")
    return {"alarm-1-describe": describe(aws, name), "alarm-1-sqs-msg": posted(aws, url)}


@scenario(PREFIX + "delete_alarm[json]")
def delete(aws: Aws, _: str) -> dict[str, Any]:
    name = put(aws)
    return {
        "describe-alarm": describe(aws, name),
        "delete-alarm": attempt(aws.cloudwatch.delete_alarms, AlarmNames=[name]),
        "describe-after-delete": describe(aws, name),
    }


@scenario(
    PREFIX + "describe_alarms_converts_date_format_correctly[json]", PREFIX + "describe_minimal_metric_alarm[json]"
)
def minimal(aws: Aws, name: str) -> dict[str, Any]:
    of_ten = "minimal" in name
    alarm = put(aws, MetricName=unique("metric"), Period=10 if of_ten else 60)
    return {"describe_minimal_metric_alarm" if of_ten else "describe-alarms": describe(aws, alarm)}


@scenario(PREFIX + "enable_disable_alarm_actions[json]")
def enable_disable(aws: Aws, _: str) -> dict[str, Any]:
    topic, url = watched(aws)
    name = put(aws, **acting(topic))
    got = {"describe_alarm": describe(aws, name)}
    aws.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="testing alarm")
    got |= {"alarm-state-describe": describe(aws, name), "alarm-state-sqs-msg": posted(aws, url)}
    aws.cloudwatch.disable_alarm_actions(AlarmNames=[name])
    aws.cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="testing OK state")
    got |= {"ok-state-action-disabled-describe": describe(aws, name), "describe_alarm_disabled": describe(aws, name)}
    assert "Messages" not in aws.nothing_in(url)
    aws.cloudwatch.enable_alarm_actions(AlarmNames=[name])
    return got | {"describe_alarm_enabled": describe(aws, name)}


@scenario(PREFIX + "put_metric_alarm")
def on_data(aws: Aws, _: str) -> dict[str, Any]:
    topic, url = watched(aws)
    more = acting(topic, MetricName="my-metric1", Threshold=21.0, EvaluationPeriods=1, Namespace=unique("ns"))
    name = put(aws, **more)
    metric = {key: more[key] for key in ("MetricName", "Dimensions", "Unit")}
    got = {"describe-alarm": describe(aws, name)}

    def breached() -> bool:
        """Each time in a period of its own (0.1 s here): data is looked at for three of them, evaluations may pause."""
        aws.cloudwatch.put_metric_data(Namespace=more["Namespace"], MetricData=[{**metric, "Values": [21.0, 22.0]}])
        time.sleep(0.15)
        return state_of(aws, name) == "ALARM"

    until(breached, "the data breaches")
    got["alarm-triggered-sqs-msg"] = posted(aws, url)
    by_metric = attempt(
        aws.cloudwatch.describe_alarms_for_metric,
        Namespace=more["Namespace"],
        MetricName="my-metric1",
        Dimensions=more["Dimensions"],
    )
    for alarm in by_metric["MetricAlarms"]:
        alarm["StateReason"] = DAY.sub("(MM/DD/YY HH:MM:SS)", alarm["StateReason"])
    history = attempt(aws.cloudwatch.describe_alarm_history, AlarmName=name, HistoryItemType="StateUpdate")
    for item in history["AlarmHistoryItems"]:
        item["HistoryData"] = DAY.sub("(MM/DD/YY HH:MM:SS)", item["HistoryData"])
    return got | {"describe-alarms-for-metric": by_metric, "describe-alarm-history": history}


@scenario(PREFIX + "put_metric_alarm_escape_character[json]")
def escaped(aws: Aws, _: str) -> dict[str, Any]:
    name = put(
        aws, AlarmDescription="<", MetricName=unique("metric"), Period=600, Threshold=1.0,
        AlarmActions=["arn:aws:sns:us-east-1:111122223333:MyTopic"],
    )  # fmt: skip
    return {"describe-alarms-escaped-character": describe(aws, name)}


@scenario(PREFIX + "set_alarm[json]")
def set_state(aws: Aws, _: str) -> dict[str, Any]:
    alarm_topic, ok_topic = aws.topic(), aws.topic()
    name = put(
        aws, AlarmDescription="Test Alarm when CPU exceeds 50 percent", MetricName="CPUUtilization-3", Period=300,
        Statistic="Average", Threshold=50.0, EvaluationPeriods=2, Unit="Percent", TreatMissingData="ignore",
        Dimensions=[{"Name": "InstanceId", "Value": "i-0317828c84edbe100"}], AlarmActions=[alarm_topic],
        OKActions=[ok_topic],
    )  # fmt: skip
    aws.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="testing alarm")
    got = {"triggered-alarm": describe(aws, name)}
    aws.cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="resetting alarm")
    return got | {"reset-alarm": describe(aws, name)}


@scenario(PREFIX + "set_alarm_invalid_input[json]")
def invalid_state(aws: Aws, _: str) -> dict[str, Any]:
    name, cloudwatch = put(aws), aws.cloudwatch
    reason = {"StateReason": "test"}
    return {
        "error-invalid-state": attempt(cloudwatch.set_alarm_state, AlarmName=name, StateValue="INVALID", **reason),
        "error-resource-not-found": attempt(cloudwatch.set_alarm_state, AlarmName="none", StateValue="OK", **reason),
    }


@scenario(PREFIX + "tagging_metric_alarm[json]", PREFIX + "tagging_composite_alarm[json]")
def tagging(aws: Aws, test: str) -> dict[str, Any]:
    cloudwatch, name = aws.cloudwatch, unique("alarm")
    environment = [{"Key": "Environment", "Value": "Production"}]
    got: dict[str, Any] = {}
    composite = "composite" in test
    if composite:
        cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{put(aws)}")', Tags=environment)
    else:
        asked = {"AlarmName": name, "MetricName": "m", "Namespace": "n", "Statistic": "Sum", "Threshold": 1.0,
                 "EvaluationPeriods": 1, "Period": 60, "ComparisonOperator": "GreaterThanThreshold"}  # fmt: skip
        got["put_metric_alarm"] = attempt(cloudwatch.put_metric_alarm, **asked, Tags=environment)
    found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    alarm = (found["MetricAlarms"] + found["CompositeAlarms"])[0]["AlarmArn"]

    def tags() -> dict[str, Any]:
        return attempt(cloudwatch.list_tags_for_resource, ResourceARN=alarm)

    got["list_tags_for_resource_after_creation" + " " * composite] = tags()
    cloudwatch.tag_resource(ResourceARN=alarm, Tags=[{"Key": "tag1", "Value": "foo"}, {"Key": "tag2", "Value": "bar"}])
    got["list_tags_for_resource_updated"] = tags()
    cloudwatch.untag_resource(ResourceARN=alarm, TagKeys=["tag1"])
    got["list_tags_for_resource_post_untag"] = tags()
    cloudwatch.delete_alarms(AlarmNames=[name])
    return got | {"list_tags_for_deleted_resource": tags()}


@scenario(PREFIX + "trigger_composite_alarm[json]")
def composite(aws: Aws, _: str) -> dict[str, Any]:
    cloudwatch, alarm_topic, ok_topic = aws.cloudwatch, aws.topic(), aws.topic()
    one, other = (put(aws, TreatMissingData="ignore") for _ in range(2))  # else an evaluation takes back what is set
    name = unique("composite")
    arns = {a["AlarmName"]: a["AlarmArn"] for a in cloudwatch.describe_alarms(AlarmNames=[one, other])["MetricAlarms"]}
    answer = attempt(
        cloudwatch.put_composite_alarm,
        AlarmName=name,
        AlarmDescription="composite alarm description",
        AlarmRule=f'ALARM("{arns[one]}") OR ALARM("{arns[other]}")',
        AlarmActions=[alarm_topic],
        OKActions=[ok_topic],
    )
    got: dict[str, Any] = {"put-composite-alarm": answer}

    def after(alarm: str, state: str) -> dict[str, Any]:
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="test")
        found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])
        return dict(found["CompositeAlarms"][0])

    got["composite-alarm-in-alarm-when-alarm-1-is-in-alarm"] = after(one, "ALARM")
    got["composite-alarm-in-ok-when-alarm-1-is-back-to-ok"] = after(one, "OK")
    got["composite-alarm-in-alarm-when-alarm-2-is-in-alarm"] = after(other, "ALARM")
    got["composite-alarm-in-ok-when-alarm-2-is-back-to-ok"] = after(other, "OK")
    after(one, "ALARM")
    unchanged = "composite-alarm-is-triggered-by-alarm-1-and-then-unchanged-by-alarm-2"
    return got | {unchanged: after(other, "ALARM")}
