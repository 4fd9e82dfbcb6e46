"""The whole path with the real Alertmanager, and each of its own faults: an alert in, subscribers at the other end."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import pytest

from tests.alerts.alertmanager import DEFAULT_SUBJECT, Alertmanager, alerts_in, log_of
from tests.alerts.oracle.aws import until
from tests.alerts.stand import Stand, a_stand

pytestmark = pytest.mark.slow
STORM_DEADLINE_S = 60.0
CHANNELS = ("http", "sqs", "lambda")
PATIENT = '{"http": {"defaultHealthyRetryPolicy": {"numRetries": 100}}}'
"""20 s here; AWS's own three retries would all have been made within 0.6 s."""


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One of its own, for it is broken here. Until SNS was down a silent subscriber is waited for 2 s only, and an
    answer that takes longer has the message repeated."""
    with a_stand(tmp_path_factory.mktemp("path"), SNS_ANSWER_DEADLINE_S="2") as stand:
        stand.start_subscribers()
        sns, patient = stand.client("sns"), {"AttributeName": "DeliveryPolicy", "AttributeValue": PATIENT}
        for topic in sns.list_topics()["Topics"]:
            sns.set_topic_attributes(**topic, **patient)
        yield stand


@pytest.fixture(scope="module")
def alertmanager(stand: Stand) -> Alertmanager:
    return Alertmanager.start(stand)


def got(stand: Stand, wanted: tuple[str, str], channels: tuple[str, ...] = CHANNELS) -> bool:
    receipts = stand.receipts()
    return all(wanted in alerts_in(receipts, channel) for channel in channels)


def paged(stand: Stand) -> list[str]:
    """What PagerDuty was told, in order, as text."""
    return [receipt["message"] for receipt in stand.receipts() if receipt["channel"] == "pagerduty"]


def behave(stand: Stand, text: str) -> None:
    request = urllib.request.Request(f"{stand.subscribers_url}/behaviour", text.encode(), method="PUT")
    urllib.request.urlopen(request, timeout=5).close()


def test_an_alert_and_its_end_reach_http_sqs_and_lambda_slack_and_pagerduty(
    stand: Stand, alertmanager: Alertmanager
) -> None:
    page = {"alertname": "Whole", "severity": "page", "instance": "gateway-1"}
    alertmanager.post(page)
    until(lambda: got(stand, ("firing", "Whole")), "the page at all three")
    alertmanager.post(page, ends_in_s=-1)
    until(lambda: got(stand, ("resolved", "Whole")), "its end at all three")
    receipts = stand.receipts()
    for channel in CHANNELS:
        told = dict.fromkeys(told for told in alerts_in(receipts, channel) if told[1] == "Whole")
        assert list(told) == [("firing", "Whole"), ("resolved", "Whole")]
    assert {receipt["verified"] for receipt in receipts if receipt["channel"] == "http"} == {True}
    until(lambda: len(paged(stand)) >= 2, "both at PagerDuty")
    told_people = [r for r in stand.receipts() if r["channel"] in ("slack", "pagerduty")]
    assert (len(told_people) >= 4, {receipt["said"] for receipt in told_people}) == (True, {None})


def test_a_ticket_goes_to_its_own_topic_and_pages_nobody(stand: Stand, alertmanager: Alertmanager) -> None:
    alertmanager.post({"alertname": "Ticket", "severity": "ticket"})
    until(lambda: got(stand, ("firing", "Ticket"), ("http", "sqs")), "the ticket")
    alertmanager.post({"alertname": "Later", "severity": "page"})
    until(lambda: "Later" in "".join(paged(stand)), "a page that was told after it")
    ticket = [r for r in stand.receipts() if "Ticket" in r["message"]]
    assert {r["topic"] for r in ticket if r["channel"] in CHANNELS} == {"ticket"}
    assert "Ticket" not in "".join(paged(stand))


def test_a_label_of_120_characters_breaks_the_default_subject_and_not_the_labs(
    stand: Stand, alertmanager: Alertmanager
) -> None:
    long = {"alertname": "L" * 120, "severity": "page", "instance": "zeile\nzwei ä"}
    default = Alertmanager.start(stand, "default", DEFAULT_SUBJECT)
    default.post(long)
    until(lambda: "Invalid parameter: Subject" in log_of(stand, "default"), "SNS refuses the default subject")
    assert not got(stand, ("firing", "L" * 120), ("http",))
    alertmanager.post(long)
    until(lambda: got(stand, ("firing", "L" * 120)), "the lab's own subject arrives")
    assert max(len(receipt["subject"]) for receipt in stand.receipts()) <= 100


@pytest.mark.parametrize("behaviour", ["500", "silent"])
def test_a_subscriber_that_answers_500_or_nothing_gets_it_later_and_the_others_at_once(
    stand: Stand, alertmanager: Alertmanager, behaviour: str
) -> None:
    name = f"While{behaviour}"
    behave(stand, behaviour)
    alertmanager.post({"alertname": name, "severity": "page"})
    until(lambda: got(stand, ("firing", name), ("sqs", "lambda")), "the others get it")
    assert not got(stand, ("firing", name), ("http",))
    behave(stand, "well")
    until(lambda: got(stand, ("firing", name), ("http",)), "then this one gets it")


def test_with_sns_down_the_page_comes_late_and_once(stand: Stand, alertmanager: Alertmanager) -> None:
    stand.kill("front")
    before = len(log_of(stand, "alertmanager"))
    alertmanager.post({"alertname": "Outage", "severity": "page"})
    until(lambda: "refused" in log_of(stand, "alertmanager")[before:], "a failed try")
    stand.start_front()
    until(lambda: got(stand, ("firing", "Outage")), "the page after the outage")
    receipts = stand.receipts()
    assert [alerts_in(receipts, channel).count(("firing", "Outage")) for channel in CHANNELS] == [1, 1, 1]


def test_three_hundred_alerts_at_once_all_arrive_everywhere(stand: Stand, alertmanager: Alertmanager) -> None:
    names = [f"Storm{number}" for number in range(300)]
    alertmanager.post(*({"alertname": name, "severity": "page"} for name in names))
    wanted = {("firing", name) for name in names}

    def all_there() -> bool:
        receipts = stand.receipts()
        return all(wanted <= set(alerts_in(receipts, channel)) for channel in CHANNELS)

    until(all_there, "300 alerts on three channels", STORM_DEADLINE_S)
    receipts = stand.receipts()
    for channel in CHANNELS:
        assert len([told for told in alerts_in(receipts, channel) if told in wanted]) == 300


def test_a_remediation_that_times_out_is_paged_over_the_second_channel(
    stand: Stand, alertmanager: Alertmanager
) -> None:
    stand.kill("subscribers")
    stand.start_subscribers(SUBSCRIBERS_REMEDIATION_TIMEOUT_S="0.001")
    alertmanager.post({"alertname": "GatewayHung", "severity": "page", "instance": "gateway-1"})

    def told() -> list[str]:
        events = [json.loads(text) for text in paged(stand)]
        summaries = [event["payload"]["summary"] for event in events if event["event_action"] == "trigger"]
        return [summary for summary in summaries if "RemediationFailed" in summary]

    assert "Task timed out" in until(told, "the failed remediation at PagerDuty")[0]


def test_a_remediation_that_fails_is_paged_over_the_second_channel_by_itself(
    stand: Stand, alertmanager: Alertmanager
) -> None:
    stand.kill("subscribers")
    stand.start_subscribers()
    alertmanager.post({"alertname": "GatewaySaturated", "severity": "page", "instance": "gateway-1"})

    def told() -> list[str]:
        events = [json.loads(text) for text in paged(stand)]
        return [e["payload"]["summary"] for e in events if e.get("dedup_key", "").startswith("RemediationFailed")]

    assert "no cluster is running" in until(told, "the failed remediation at PagerDuty")[0]
