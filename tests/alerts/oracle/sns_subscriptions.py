"""Scenarios: subscriptions, with SQS and HTTP endpoints."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.alerts.oracle.aws import Aws, Heard, http_endpoint
from tests.alerts.oracle.replay import ACCOUNT, attempt, scenario
from tests.alerts.oracle.sns_topics import OTHER_REGION
from tests.alerts.oracle.xml_answer import as_document
from tests.alerts.stand import REGION

CRUD, V2 = "test_sns.py::TestSNSSubscriptionCrud::test_", "test_sns.py::TestSNSSubscriptionCrudV2::test_"
HTTP = "test_sns.py::TestSNSSubscriptionHttp::test_"
NO_ID = "00000000-0000-0000-0000-000000000000"


@scenario(CRUD + "create_subscriptions_with_attributes")
def with_attributes(aws: Aws, _: str) -> dict[str, Any]:
    topic, (_, queue) = aws.topic(), aws.queue()
    asked = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue, "ReturnSubscriptionArn": True}
    right = attempt(aws.sns.subscribe, **asked, Attributes={"RawMessageDelivery": "true"})
    return {
        "subscribe": right,
        "get-attrs": aws.attributes_of(right["SubscriptionArn"]),
        "subscribe-wrong-attr": attempt(aws.sns.subscribe, **asked, Attributes={"RawMessageDelivery": "wrongvalue"}),
        "get-attrs-nonexistent-sub": attempt(aws.sns.get_subscription_attributes, SubscriptionArn=f"{topic}:{NO_ID}"),
    }


@scenario(
    CRUD + "list_subscriptions",
    "test_sns_filter_policy.py::TestSNSFilterPolicyBody::test_filter_policy_large_complex_payload",
)
def nothing_recorded(_: Aws, __: str) -> dict[str, Any]:
    """AWS's recording holds no answer."""
    return {}


@scenario(CRUD + "list_subscriptions_by_topic_pagination")
def pages(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic()
    for number in range(101):
        aws.sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint=f"+12312312{number:03}")
    first = aws.sns.list_subscriptions_by_topic(TopicArn=topic)
    assert len(first["Subscriptions"]) == 100
    second = attempt(aws.sns.list_subscriptions_by_topic, TopicArn=topic, NextToken=first["NextToken"])
    return {"list-sub-per-topic-page-2": second}


@scenario(CRUD + "not_found_error_on_set_subscription_attributes")
def set_after_unsubscribe(aws: Aws, _: str) -> dict[str, Any]:
    topic, (_, queue) = aws.topic(), aws.queue()
    answer = attempt(aws.sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=queue)
    subscription = answer["SubscriptionArn"]
    got = {"sub": answer, "sub-attrs": aws.attributes_of(subscription)}
    got["subscriptions-for-topic-before-unsub"] = attempt(aws.sns.list_subscriptions_by_topic, TopicArn=topic)
    aws.sns.unsubscribe(SubscriptionArn=subscription)
    got["subscriptions-for-topic-after-unsub"] = attempt(aws.sns.list_subscriptions_by_topic, TopicArn=topic)
    return got | {
        "sub-not-found": attempt(
            aws.sns.set_subscription_attributes,
            SubscriptionArn=subscription,
            AttributeName="RawMessageDelivery",
            AttributeValue="true",
        )
    }


@scenario(CRUD + "sns_confirm_subscription_wrong_token")
def wrong_token(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic()
    right_form = "51b2ff3edb475b7d91550e0ab6edf0c1de2a34e6ebaf6" + "0" * 243
    return {
        "topic-not-exists": attempt(aws.sns.confirm_subscription, TopicArn=topic + "x", Token=right_form),
        "invalid-token": attempt(aws.sns.confirm_subscription, TopicArn=topic, Token="randomtoken"),
        "token-not-exists": attempt(aws.sns.confirm_subscription, TopicArn=topic, Token=right_form),
    }


@scenario(CRUD + "subscribe_with_invalid_protocol")
def wrong_protocol(aws: Aws, _: str) -> dict[str, Any]:
    asked = {"TopicArn": aws.topic(), "Protocol": "test-protocol", "Endpoint": "localhost"}
    return {"exception": attempt(aws.sns.subscribe, **asked)}


@scenario(CRUD + "subscribe_with_invalid_topic", V2 + "subscribe_unknown_topic")
def wrong_topic(aws: Aws, name: str) -> dict[str, Any]:
    _, queue = aws.queue()

    def subscribe(topic: str) -> dict[str, Any]:
        return attempt(aws.sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=queue)

    unknown = subscribe(f"arn:aws:sns:{REGION}:{ACCOUNT}:not-there")
    if name.startswith(V2):
        return {"subscribe-unknown-topic": unknown}
    return {
        "invalid-subscribe-arn-1": subscribe("randomstring"),
        "invalid-subscribe-arn-2": subscribe(f"arn:aws:sns:{REGION}:{ACCOUNT}"),
        "non-existent-topic": unknown,
    }


@scenario(CRUD + "unsubscribe_from_non_existing_subscription")
def unsubscribe_twice(aws: Aws, _: str) -> dict[str, Any]:
    topic, (_, queue) = aws.topic(), aws.queue()
    subscription = aws.subscribe(topic, queue)
    aws.sns.unsubscribe(SubscriptionArn=subscription)
    return {"empty-unsubscribe": attempt(aws.sns.unsubscribe, SubscriptionArn=subscription)}


@scenario(CRUD + "unsubscribe_wrong_arn_format")
def unsubscribe_wrong_arn(aws: Aws, _: str) -> dict[str, Any]:
    arns = ("randomstring", f"arn:aws:sns:{REGION}:{ACCOUNT}", f"arn:aws:sns:{REGION}:{ACCOUNT}:random", "")
    return {
        f"invalid-unsubscribe-arn-{n}": attempt(aws.sns.unsubscribe, SubscriptionArn=arn)
        for n, arn in enumerate(arns, 1)
    }


@scenario(V2 + "creating_subscription")
def create(aws: Aws, _: str) -> dict[str, Any]:
    with http_endpoint() as endpoint:
        asked = {"TopicArn": aws.topic(), "Protocol": "http", "Endpoint": endpoint.url}
        answer = attempt(aws.sns.subscribe, **asked)
        endpoint.wait(1)
    return {"create-subscription": answer}


@scenario(V2 + "confirm_subscription")
def confirm(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.sns.create_topic(Name="confirm-sub-e46f689a")["TopicArn"]
    with http_endpoint() as endpoint:
        aws.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)
        token = endpoint.wait(1).document["Token"]
    return {"confirm-subscription": attempt(aws.sns.confirm_subscription, TopicArn=topic, Token=token)}


@scenario(V2 + "creating_subscription_with_attributes", V2 + "subscribe_attributes", V2 + "set_subscription_attributes")
def attributes(aws: Aws, name: str) -> dict[str, Any]:
    topic, (_, queue) = aws.topic(), aws.queue()
    raw = {"RawMessageDelivery": "true"} if name.endswith("with_attributes") else {}
    subscription = aws.subscribe(topic, queue, **raw)
    if "set_subscription" in name:
        aws.sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName="RawMessageDelivery", AttributeValue="true"
        )
    keys = {"creating": "subscription-with-attributes", "subscribe": "get-subscription-attributes",
            "set": "set-subscription-attributes"}  # fmt: skip
    return {keys[name.rpartition("test_")[2].split("_")[0]]: aws.attributes_of(subscription)}


@scenario(V2 + "get_subscription_attributes_error_not_exists")
def attributes_of_nothing(aws: Aws, _: str) -> dict[str, Any]:
    arn = f"{aws.topic()}:{NO_ID}"
    return {"get-sub-attrs-nonexistent": attempt(aws.sns.get_subscription_attributes, SubscriptionArn=arn)}


@scenario(V2 + "getting_subscriptions_by_topic")
def by_topic(aws: Aws, _: str) -> dict[str, Any]:
    topic, other, (_, queue) = aws.topic(), aws.topic(), aws.queue()
    aws.subscribe(topic, queue)
    aws.subscribe(other, queue)
    return {"list-subscriptions-by-topic": attempt(aws.sns.list_subscriptions_by_topic, TopicArn=topic)}


@scenario(V2 + "subscribe_invalid_filter_policy")
def invalid_filter(aws: Aws, _: str) -> dict[str, Any]:
    topic, (_, queue) = aws.topic(), aws.queue()
    asked = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue, "Attributes": {"FilterPolicy": "invalid"}}
    return {"subscribe-invalid-filter-policy": attempt(aws.sns.subscribe, **asked)}


@scenario(V2 + "subscribe_unknown_sqs_queue")
def unknown_queue(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic()

    def subscribe(queue: str) -> dict[str, Any]:
        return attempt(aws.sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=queue)

    return {
        "subscribe-unknown-sqs": subscribe(f"arn:aws:sqs:{REGION}:{ACCOUNT}:not-there"),
        "subscribe-unknown-sqs-invalid_arn": subscribe("invalid-arn"),
    }


@scenario(V2 + "unsubscribe_from_deleted_topic")
def unsubscribe_after_delete(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic()
    with http_endpoint() as endpoint:
        pending = aws.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)["SubscriptionArn"]
        endpoint.wait(1)
    aws.sns.delete_topic(TopicArn=topic)
    return {"unsubscribe-deleted-topic": attempt(aws.sns.unsubscribe, SubscriptionArn=pending)}


@scenario(HTTP + "http_subscription_response")
def http_response(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic()
    with http_endpoint() as endpoint:
        asked = {"TopicArn": topic, "Protocol": "http", "Endpoint": endpoint.url}
        return {
            "topic-arn": {"TopicArn": topic},
            "subscription": attempt(aws.sns.subscribe, **asked),
            "subscription-with-arn": attempt(aws.sns.subscribe, **asked, ReturnSubscriptionArn=True),
        }


SENT_HEADERS = (
    "Accept-Encoding", "Connection", "Content-Length", "Content-Type", "Host", "User-Agent", "X-Amz-Sns-Message-Id",
    "X-Amz-Sns-Message-Type", "X-Amz-Sns-Rawdelivery", "X-Amz-Sns-Subscription-Arn", "X-Amz-Sns-Topic-Arn",
)  # fmt: skip


def headers_of(heard: Heard) -> dict[str, str]:
    """All that came but Accept, which HTTP clients add by themselves."""
    assert set(heard.headers) - set(SENT_HEADERS) <= {"Accept"}
    return {name: heard.headers[name] for name in SENT_HEADERS if name in heard.headers}


@scenario(HTTP + "subscribe_external_http_endpoint[False]", HTTP + "subscribe_external_http_endpoint[True]")
def external(aws: Aws, name: str) -> dict[str, Any]:
    topic, raw = aws.topic(), "[True]" in name
    with http_endpoint() as endpoint:
        aws.sns.subscribe(
            TopicArn=topic, Protocol="http", Endpoint=endpoint.url, Attributes={"RawMessageDelivery": str(raw).lower()}
        )
        asked = endpoint.wait(1)
        got: dict[str, Any] = {"http-confirm-sub-headers": headers_of(asked)}
        got["subscription-confirmation"] = asked.document
        got |= confirmations(aws, topic, asked.document)
        aws.sns.publish(TopicArn=topic, Message="test_external_http_endpoint")
        message = endpoint.wait(2)
        got["http-message-headers-raw" if raw else "http-message-headers"] = headers_of(message)
        if raw:
            assert message.body == "test_external_http_endpoint"
        else:
            got["http-message"] = message.document
        subscription = message.headers["X-Amz-Sns-Subscription-Arn"]
        link = f"{aws.stand.url}/?Action=Unsubscribe&SubscriptionArn={subscription}"
        got["unsubscribe-response"] = as_document(httpx.get(link))
        got["unsubscribe-request"] = endpoint.wait(3).document
    return got


def confirmations(aws: Aws, topic: str, asked: dict[str, Any]) -> dict[str, Any]:
    def confirm(arn: str, token: str) -> dict[str, Any]:
        link = {"Action": "ConfirmSubscription", "TopicArn": arn, "Token": token}
        return as_document(httpx.get(aws.stand.url, params=link))

    token, base = asked["Token"], topic.rpartition(":")[0]
    broken = token[:-6] + ("000000" if not token.endswith("000000") else "111111")
    return {
        "broken-topic-arn-confirm": confirm(base, token),
        "broken-token-confirm": confirm(topic, broken),
        "different-region-arn-confirm": confirm(topic.replace(REGION, OTHER_REGION), token),
        "confirm-subscribe": as_document(httpx.get(asked["SubscribeURL"])),
        "nonexistent-token-confirm": confirm(f"{base}:not-there", token),
    }


CONTENT = HTTP + "subscribe_external_http_endpoint_content_type"


@scenario(CONTENT + "[False]", CONTENT + "[True]")
def content_type(aws: Aws, name: str) -> dict[str, Any]:
    topic, raw = aws.topic(), "[True]" in name
    no_retries = {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 0, "backoffFunction": "linear"}
    own = {"requestPolicy": {"headerContentType": "text/csv"}} if raw else {
        "healthyRetryPolicy": no_retries, "throttlePolicy": {"maxReceivesPerSecond": 1000}}  # fmt: skip
    if not raw:
        policy = {"http": {"defaultRequestPolicy": {"headerContentType": "application/json"}}}
        aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="DeliveryPolicy", AttributeValue=json.dumps(policy))
    got: dict[str, Any] = {"topic-attrs": attempt(aws.sns.get_topic_attributes, TopicArn=topic)}
    with http_endpoint() as endpoint:
        subscription = aws.sns.subscribe(
            TopicArn=topic,
            Protocol="http",
            Endpoint=endpoint.url,
            Attributes={"RawMessageDelivery": str(raw).lower(), "DeliveryPolicy": json.dumps(own)},
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        asked = endpoint.wait(1)
        got |= {
            "sub-attrs": aws.attributes_of(subscription),
            "http-confirm-sub-headers": headers_of(asked),
            "subscription-confirmation": asked.document,
        }
        httpx.get(asked.document["SubscribeURL"])
        aws.sns.publish(TopicArn=topic, Message="test_external_http_endpoint")
        message = endpoint.wait(2)
        got["http-message-headers-raw" if raw else "http-message-headers"] = headers_of(message)
        return got if raw else got | {"http-message": message.document}


@scenario(HTTP + "subscribe_external_http_endpoint_lambda_url_sig_validation")
def function_url(aws: Aws, _: str) -> dict[str, Any]:
    """A function's URL is an HTTP endpoint that shows its headers in lower case."""
    topic = aws.topic()
    with http_endpoint() as endpoint:
        aws.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)
        token = endpoint.wait(1).document["Token"]
        confirmed = attempt(aws.sns.confirm_subscription, TopicArn=topic, Token=token)
        aws.sns.publish(TopicArn=topic, Message="test_external_http_endpoint")
        link = endpoint.wait(2).document["UnsubscribeURL"]
        httpx.get(link)
        endpoint.wait(3)
    kept = set(SENT_HEADERS) - {"Connection", "Content-Length", "Host"}
    names = ("subscription-confirmation", "publish-event", "unsubscribe-event")
    return {"confirm-subscription": confirmed} | {
        name: {
            "events": [
                {
                    "body": heard.document,
                    "headers": {key.lower(): value for key, value in headers_of(heard).items() if key in kept},
                }
            ]
        }
        for name, heard in zip(names, endpoint.heard, strict=True)
    }
