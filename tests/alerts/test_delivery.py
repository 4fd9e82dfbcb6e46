"""Retries in their phases, what is kept through a kill, and that one subscriber's trouble is nobody else's."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from alerts.sns.delivery_policy import OF_MANAGED_ENDPOINTS, RetryPolicy
from tests.alerts.oracle.aws import Aws, Endpoint, http_endpoint
from tests.alerts.stand import a_stand


def test_the_four_phases_of_a_policy() -> None:
    policy = RetryPolicy(retries=9, at_once=2, at_min=1, at_max=2, delay_min_s=1, delay_max_s=10, backoff="linear")
    assert list(policy.delays_s()) == [0, 0, 1, 1, 4, 7, 10, 10, 10]


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [("linear", [1, 6, 11, 16]), ("exponential", [1, 2, 4, 8]), ("geometric", [1, 2.52, 6.35, 16])],
)
def test_each_backoff_grows_from_the_least_to_the_greatest_delay(backoff: str, delays: list[float]) -> None:
    policy = RetryPolicy(retries=4, delay_min_s=1, delay_max_s=16, backoff=backoff)  # type: ignore[arg-type]
    assert [round(delay, 2) for delay in policy.delays_s()] == delays


def test_queues_and_functions_are_tried_100015_times_over_23_days() -> None:
    delays = list(OF_MANAGED_ENDPOINTS.delays_s())
    assert (len(delays), delays[:5], round(sum(delays) / 86_400)) == (100_015, [0, 0, 0, 1, 1], 23)


def subscribed(aws: Aws, endpoint: Endpoint, **attributes: str) -> str:
    topic = aws.topic()
    aws.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url, Attributes=attributes)
    httpx.get(endpoint.wait(1).document["SubscribeURL"])
    endpoint.heard.clear()
    return topic


def test_a_500_is_tried_again_and_a_404_is_not(aws: Aws) -> None:
    with http_endpoint() as endpoint:
        topic = subscribed(aws, endpoint)
        endpoint.answers = [500, 503, 200]
        aws.sns.publish(TopicArn=topic, Message="x")
        ids = {endpoint.wait(n).document["MessageId"] for n in (1, 2, 3)}
        assert len(ids) == 1
        endpoint.heard.clear()
        endpoint.answers = [404, 200]
        aws.sns.publish(TopicArn=topic, Message="y")
        aws.settle()
        assert len(endpoint.heard) == 1


def test_after_the_last_retry_the_message_is_in_the_dead_letter_queue(aws: Aws) -> None:
    url, queue = aws.queue()
    policy = {"healthyRetryPolicy": {"numRetries": 2, "minDelayTarget": 1, "maxDelayTarget": 1}}
    with http_endpoint() as endpoint:
        topic = subscribed(
            aws,
            endpoint,
            DeliveryPolicy=json.dumps(policy),
            RedrivePolicy=json.dumps({"deadLetterTargetArn": queue}),
        )
        endpoint.answers = [500] * 9
        aws.sns.publish(TopicArn=topic, Message="lost on the way")
        body = json.loads(aws.receive(url)["Messages"][0]["Body"])
    assert (body["Message"], len(endpoint.heard)) == ("lost on the way", 3)


def test_a_subscriber_that_fails_delays_no_other_and_no_publisher(aws: Aws) -> None:
    url, queue = aws.queue()
    with http_endpoint() as endpoint:
        topic = subscribed(aws, endpoint)
        aws.subscribe(topic, queue, RawMessageDelivery="true")
        endpoint.answers = [500] * 4
        aws.sns.publish(TopicArn=topic, Message="x")
        assert aws.receive(url)["Messages"][0]["Body"] == "x"


def test_a_topic_without_subscribers_takes_the_message_and_nobody_is_told(aws: Aws) -> None:
    topic = aws.topic()
    assert aws.sns.publish(TopicArn=topic, Message="x")["MessageId"]
    assert aws.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsConfirmed"] == "0"


def test_a_fifo_subscription_gets_a_group_in_order_and_each_message_once(aws: Aws) -> None:
    topic, (url, queue) = aws.topic(FifoTopic="true"), aws.queue(FifoQueue="true")
    aws.subscribe(topic, queue, RawMessageDelivery="true")
    for number in [*range(20), *range(20)]:
        aws.sns.publish(TopicArn=topic, Message=str(number), MessageGroupId="g", MessageDeduplicationId=f"id-{number}")
    bodies = [message["Body"] for message in aws.receive(url, 20)["Messages"]]
    assert bodies == [str(number) for number in range(20)]
    assert "Messages" not in aws.nothing_in(url)


@pytest.mark.slow
def test_a_killed_front_delivers_what_it_had_accepted_and_knows_its_subscribers(tmp_path: Path) -> None:
    with a_stand(tmp_path) as stand, http_endpoint() as endpoint:
        stand.kill("front")
        stand.start_front(SNS_TIME_SCALE="10")
        aws = Aws(stand)
        topic = subscribed(aws, endpoint)
        endpoint.answers = [500]
        message = aws.sns.publish(TopicArn=topic, Message="survives")["MessageId"]
        endpoint.wait(1)
        stand.kill("front")  # 2 s before the retry
        stand.start_front(SNS_TIME_SCALE="100")
        assert endpoint.wait(2).document["MessageId"] == message
        assert (
            aws.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"]
            != "PendingConfirmation"
        )
