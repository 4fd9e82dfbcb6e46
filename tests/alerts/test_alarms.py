"""CloudWatch's two tables of missing data, M of N, composite rules, and the billing alarms on a live front."""

from __future__ import annotations

import json

import pytest

from alerts.aws.errors import AwsError
from alerts.cloudwatch.alarm import INITIAL_REASON, Alarm, Missing, State
from alerts.cloudwatch.definitions import BILLING, read_alarms
from alerts.cloudwatch.evaluate import evaluate
from alerts.cloudwatch.rule import parse
from alerts.cloudwatch.series import Point, Series
from tests.alerts.oracle.aws import Aws, until

NOW_S, PERIOD_S = 1_000_000.0, 10.0
RETAIN = None
MISSING, IGNORE, BREACHING, NOT_BREACHING = Missing


def alarm(periods: int, to_alarm: int, missing: Missing) -> Alarm:
    asked = {
        "AlarmName": "a", "EvaluationPeriods": periods, "DatapointsToAlarm": to_alarm, "Period": 10, "Threshold": 0.5,
        "TreatMissingData": missing.value, "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Average",
    }  # fmt: skip
    return Alarm("arn:aws:cloudwatch:r:1:alarm:a", asked, 0, State.OK, INITIAL_REASON, None, 0, 0)


def state(text: str, periods: int, to_alarm: int, missing: Missing) -> State | None:
    """Of data as the documentation draws it, oldest first: 0 good, X breaching, - missing."""
    marks = text.split()
    start = NOW_S - len(marks) * PERIOD_S
    points = [Point(start + n * PERIOD_S, 1, float(mark == "X")) for n, mark in enumerate(marks) if mark != "-"]
    verdict = evaluate(alarm(periods, to_alarm, missing), points, PERIOD_S, NOW_S)
    return verdict.state if verdict else None


@pytest.mark.parametrize(
    ("data", "to_alarm", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0 - X - X", 3, "OK", "OK", "OK", "OK"),
        ("0 - - - -", 3, "OK", "OK", "OK", "OK"),
        ("- - - - -", 3, "INSUFFICIENT_DATA", RETAIN, "ALARM", "OK"),
        ("0 X X - X", 3, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("- - X - -", 3, "ALARM", RETAIN, "ALARM", "OK"),
        ("0 - X - X", 2, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0 0 X 0 X", 2, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0 - X - -", 2, "OK", "OK", "ALARM", "OK"),
        ("- - - - 0", 2, "OK", "OK", "ALARM", "OK"),
        ("- - - X -", 2, "ALARM", RETAIN, "ALARM", "OK"),
    ],
)
def test_missing_data_is_treated_as_in_the_tables_of_the_documentation(
    data: str, to_alarm: int, missing: str, ignore: str | None, breaching: str, not_breaching: str
) -> None:
    got = [state(data, 3, to_alarm, treatment) for treatment in Missing]
    assert got == [missing, ignore, breaching, not_breaching]


def test_one_new_breaching_point_alone_is_not_yet_an_alarm() -> None:
    assert state("- - - - X", 3, 3, Missing.MISSING) is None


def test_the_reason_names_the_points_and_the_least_that_it_takes() -> None:
    points = [Point(NOW_S - n * PERIOD_S, 1, value) for n, value in ((3, 1.0), (2, 0.0), (1, 2.0))]
    verdict = evaluate(alarm(3, 2, Missing.MISSING), points, PERIOD_S, NOW_S)
    assert verdict is not None
    assert verdict.reason == (
        "Threshold Crossed: 2 out of the last 3 datapoints [2.0 (12/01/70 13:46:30), 1.0 (12/01/70 13:46:10)] were"
        " greater than the threshold (0.5) (minimum 2 datapoints for OK -> ALARM transition)."
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("Average", 2.5), ("Sum", 10.0), ("SampleCount", 4.0), ("Minimum", 1.0), ("Maximum", 4.0), ("p50", 2.0)],
)
def test_a_period_has_the_statistic_asked_for(name: str, value: float) -> None:
    series, asked = (
        Series(),
        {"Namespace": "n", "MetricName": "m", "Statistic" if name[0] != "p" else "ExtendedStatistic": name},
    )
    series.put("r", "n", {"MetricName": "m", "Values": [1.0, 2.0, 3.0, 4.0]}, NOW_S - 5)
    (point,) = series.points("r", asked, PERIOD_S, NOW_S, 3)
    assert point.value == value


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("ALARM(a)", True),
        ('ALARM("a") AND OK(b)', True),
        ("ALARM(b) OR ALARM(c) OR OK(b)", True),
        ("ALARM(a) AND NOT OK(b)", False),
        ("NOT (ALARM(a) AND ALARM(b))", True),
        ("ALARM(b) AND ALARM(a) OR TRUE", True),
        ("ALARM(b) AND (ALARM(a) OR TRUE)", False),
        ("INSUFFICIENT_DATA(c)", True),
        ("FALSE", False),
    ],
)
def test_composite_rules(rule: str, holds: bool) -> None:
    states = {"a": State.ALARM, "b": State.OK, "c": State.INSUFFICIENT_DATA}
    assert parse(rule)[0](states.__getitem__) is holds


@pytest.mark.parametrize("rule", ["", "ALARM(a", "ALARM(a) AND", "ALARM(a) ALARM(b)", "BROKEN(a)", "(ALARM(a)"])
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(AwsError, match="AlarmRule"):
        parse(rule)


def test_the_billing_alarms_post_at_500_1000_and_2000_dollars(aws: Aws) -> None:
    cloudwatch, topics, queues = aws.cloudwatch, {}, {}
    for name in ("ticket", "page"):
        topics[name], (queues[name], queue) = aws.topic(), aws.queue()
        aws.subscribe(topics[name], queue)
    for asked in read_alarms(BILLING, topics):
        cloudwatch.put_metric_alarm(**{**asked, "AlarmName": asked["AlarmName"] + "-here", "Period": 10})

    def states() -> list[str]:
        found = cloudwatch.describe_alarms(AlarmNames=[f"bill-above-{usd}-usd-here" for usd in (500, 1000, 2000)])
        return [one["StateValue"] for one in found["MetricAlarms"]]

    def charge(usd: float, wanted: list[str]) -> None:
        def met() -> bool:
            datum = {
                "MetricName": "EstimatedCharges",
                "Value": usd,
                "Dimensions": [{"Name": "Currency", "Value": "USD"}],
            }
            cloudwatch.put_metric_data(Namespace="AWS/Billing", MetricData=[datum])
            return states() == wanted

        until(met, f"{wanted} at ${usd:g}")

    charge(400, ["OK", "OK", "OK"])
    charge(750, ["ALARM", "OK", "OK"])
    charge(2500, ["ALARM", "ALARM", "ALARM"])
    told = [json.loads(m["Body"])["Subject"] for m in aws.receive(queues["ticket"], 4)["Messages"]]
    paged = [json.loads(m["Body"])["Subject"] for m in aws.receive(queues["page"], 2)["Messages"]]
    assert sorted(told)[:2] == [f'ALARM: "bill-above-{usd}-usd-here" in US East (N. Virginia)' for usd in (1000, 500)]
    assert 'ALARM: "bill-above-2000-usd-here" in US East (N. Virginia)' in paged
