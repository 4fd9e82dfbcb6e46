"""What people get: Slack and PagerDuty payloads within their published schemas; and what a machine may do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import httpx
import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route

from alerts.remediation.policy import REMEDIES, Guard, Verdict, Wanted, tightened
from alerts.remediation.service import PATH, Actions, scale
from alerts.subscribers import pagerduty, slack
from alerts.subscribers.inbox import Inbox
from alerts.subscribers.notice import Alert, Status, alerts_of
from alerts.subscribers.webhooks import PAGERDUTY_PATH, SLACK_PATH, Webhooks, schema
from deploy.cluster import Cluster, ClusterError
from deploy.local.rules import RULES

TEXT = st.text(max_size=400)
ALERTS = st.builds(
    Alert,
    name=TEXT.filter(bool),
    status=st.sampled_from(Status),
    severity=st.sampled_from(["page", "ticket", "critical", "nonsense", ""]),
    summary=st.text(max_size=4_000),
    fingerprint=st.text(min_size=1, max_size=400),
    started_at=st.sampled_from(["", "2026-11-21T10:39:22.672Z"]),
    runbook=st.sampled_from(["", "https://runbooks.example/x"]),
    labels=st.dictionaries(TEXT, TEXT, max_size=14),
)


@given(st.lists(ALERTS, min_size=1, max_size=30))
def test_whatever_the_alerts_hold_slack_takes_the_message(alerts: list[Alert]) -> None:
    jsonschema_rs.validator_for(schema("slack")).validate(slack.payload(alerts))


@given(ALERTS)
def test_whatever_the_alert_holds_pagerduty_takes_the_event(alert: Alert) -> None:
    jsonschema_rs.validator_for(schema("pagerduty")).validate(pagerduty.event(alert, "k" * 32))


def test_an_alert_and_its_end_have_one_deduplication_key() -> None:
    firing, ended = (Alert("A", status, "page", "s", "f1") for status in Status)
    events = [pagerduty.event(alert, "k" * 32) for alert in (firing, ended)]
    assert [(e["event_action"], e["dedup_key"]) for e in events] == [("trigger", "f1"), ("resolve", "f1")]


def test_a_cloudwatch_alarm_and_plain_text_are_read_as_alerts_too() -> None:
    alarm = {"AlarmName": "bill", "NewStateValue": "ALARM", "AlarmArn": "arn:x", "AlarmDescription": "too much"}
    assert [(a.name, a.status, a.summary) for a in alerts_of(json.dumps(alarm))] == [("bill", "firing", "too much")]
    assert [(a.name, a.summary) for a in alerts_of("fire!", "Subject")] == [("Subject", "fire!")]


def client_of(routes: list[Route]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=routes)), base_url="http://here")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (SLACK_PATH, {"text": "x"}, 200),
        (SLACK_PATH, {"attachments": []}, 400),
        (PAGERDUTY_PATH, {"routing_key": "k" * 32, "event_action": "resolve", "dedup_key": "d"}, 202),
        (PAGERDUTY_PATH, {"routing_key": "k" * 32, "event_action": "trigger"}, 400),
    ],
)
async def test_the_stand_ins_refuse_what_the_schema_does(path: str, body: dict[str, Any], status: int) -> None:
    inbox = Inbox(lambda _: None)
    async with client_of(Webhooks(inbox).routes()) as client:
        assert (await client.post(path, json=body)).status_code == status
    assert (inbox.after(0)[0].said is None) is (status < 300)


def wanted(action: str = "restart", target: str = "gateway-1", fingerprint: str = "f") -> Wanted:
    return Wanted(action, target, fingerprint, "2026-11-21T10:00:00Z")


@pytest.mark.parametrize(
    ("action", "target"),
    [
        ("restart", "engine"),
        ("restart", "ledger-1"),
        ("scale", "engine"),
        ("scale", "haproxy"),
        ("drop_tables", "gateway-1"),
        ("restart", ""),
    ],
)
def test_what_is_not_on_the_list_is_not_done(action: str, target: str) -> None:
    assert Guard().verdict(wanted(action, target), 0.0) is Verdict.NOT_ALLOWED


def test_one_trouble_is_remedied_once_and_a_failed_try_may_be_repeated() -> None:
    guard = Guard()
    assert guard.verdict(wanted(), 0.0) is Verdict.DO
    assert guard.verdict(wanted(), 1.0) is Verdict.DO
    guard.succeeded(wanted())
    assert guard.verdict(wanted(), 2.0) is Verdict.DONE_ALREADY
    assert guard.verdict(wanted(fingerprint="g"), 3.0) is Verdict.DO


def test_no_more_than_so_many_actions_in_a_while() -> None:
    guard = Guard(rate_max=2, window_s=60)
    verdicts = [guard.verdict(wanted(fingerprint=str(n)), at_s) for n, at_s in enumerate((0.0, 1.0, 2.0, 61.5))]
    assert verdicts == [Verdict.DO, Verdict.DO, Verdict.TOO_OFTEN, Verdict.DO]


async def test_every_request_leaves_a_line_of_audit_with_its_outcome(tmp_path: Any) -> None:
    failures: Iterator[bool] = iter([True, False])

    def do(_: Wanted) -> None:
        if next(failures):
            raise ClusterError("no cluster")

    audit = tmp_path / "audit.jsonl"
    asked = {"action": "restart", "target": "gateway-1", "fingerprint": "f", "started_at": "t"}
    requests = [*[asked] * 3, {**asked, "target": "engine"}, {"action": "restart"}]
    async with client_of(Actions(do, audit).routes()) as client:
        statuses = [(await client.post(PATH, json=request)).status_code for request in requests]
    outcomes = [json.loads(line)["outcome"] for line in audit.read_text().splitlines()]
    assert (statuses, outcomes) == ([500, 200, 200, 403, 400], ["failed", "done", "done_already", "not_allowed"])


def test_a_throttle_is_halved_each_time_and_never_closed() -> None:
    assert [tightened(now, 500) for now in (500, 250, 125, 100)] == [250, 125, 100, 100]


@pytest.mark.parametrize(
    ("now_cores", "given", "said"),
    [
        (0.15, [("gateway-1", 0.3)], ""),
        (0.7, [("gateway-1", 1.0)], ""),
        (1.0, [], "gateway-1 has 1 cores, a machine gives it no more than 1"),
        (2.0, [], "gateway-1 has 2 cores, a machine gives it no more than 1"),
        (None, [], "gateway-1 has no CPU quota that could be raised"),
    ],
)
def test_a_gateway_is_given_twice_its_cpu_up_to_a_core_and_none_that_it_has_is_taken(
    now_cores: float | None, given: list[tuple[str, float]], said: str
) -> None:
    parts = [SimpleNamespace(name=n, cpu_quota_cores=c) for n, c in (("gateway-1", now_cores), ("engine", 0.25))]
    got: list[tuple[str, float]] = []
    cluster = SimpleNamespace(parts=lambda: parts, set_cpu_quota=lambda part, cores: got.append((part, cores)))
    failed = ""
    try:
        scale(cast("Cluster", cluster), "gateway-1")
    except ClusterError as error:
        failed = str(error)
    assert (got, failed.startswith(said), bool(failed)) == (given, True, bool(said))


def test_a_machine_acts_on_shipped_rules_that_page_and_on_nothing_else() -> None:
    rules = {name: yaml.safe_load((RULES / f"{name}.yml").read_text())["groups"][0]["rules"][0] for name in REMEDIES}
    assert {name: rule["labels"]["severity"] for name, rule in rules.items()} == dict.fromkeys(REMEDIES, "page")
