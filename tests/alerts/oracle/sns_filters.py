"""Scenarios: filter policies, what is refused and what passes."""

from __future__ import annotations

import json
from typing import Any

from tests.alerts.oracle.aws import Aws
from tests.alerts.oracle.replay import attempt, scenario
from tests.alerts.oracle.sns_publish import number

PREFIX = "test_sns_filter_policy.py::TestSNSFilterPolicy"
ATTRIBUTES, BODY = PREFIX + "Attributes::test_", PREFIX + "Body::test_"
CONDITIONS, CRUD = PREFIX + "Conditions::test_", PREFIX + "Crud::test_"


def set_policy(aws: Aws, subscription: str, policy: Any, name: str = "FilterPolicy") -> dict[str, Any]:
    value = policy if isinstance(policy, str) else json.dumps(policy, separators=(",", ":"))
    return attempt(
        aws.sns.set_subscription_attributes, SubscriptionArn=subscription, AttributeName=name, AttributeValue=value
    )


@scenario(ATTRIBUTES + "exists_filter_policy")
def exists(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue) = aws.topic(), aws.queue()
    subscription = aws.subscribe(topic, queue, FilterPolicy=json.dumps({"store": [{"exists": True}]}))
    got = {"subscription-attributes-policy-1": aws.attributes_of(subscription), "messages-0": aws.nothing_in(url)}
    both, one = {"def": number("99"), "store": number("99")}, {"def": number("99")}

    def publish(text: str, attributes: dict[str, Any]) -> None:
        aws.sns.publish(TopicArn=topic, Message=text, MessageAttributes=attributes)
        aws.settle()

    publish("message-1", both)
    got["messages-1"] = peek(aws, url)
    publish("message-2", one)
    got["messages-2"] = aws.receive(url)
    set_policy(aws, subscription, {"store": [{"exists": False}]})
    got["subscription-attributes-policy-2"] = aws.attributes_of(subscription)
    publish("message-3", one)
    got["messages-3"] = peek(aws, url)
    publish("message-4", both)
    return got | {"messages-4": aws.receive(url)}


def peek(aws: Aws, url: str) -> dict[str, Any]:
    """What is in the queue, left there."""
    return attempt(
        aws.sqs.receive_message, QueueUrl=url, VisibilityTimeout=0, WaitTimeSeconds=2, MessageAttributeNames=["All"]
    )


@scenario(ATTRIBUTES + "exists_filter_policy_attributes_array")
def array_attribute(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue) = aws.topic(), aws.queue()
    policy = json.dumps({"store": ["value1"]})
    subscription = aws.subscribe(topic, queue, FilterPolicy=policy, RawMessageDelivery="true")
    got = {"subscription-attributes-policy": aws.attributes_of(subscription), "messages-init": aws.nothing_in(url)}
    values = (("String", "value1"), ("String.Array", '["value1", "value2"]'), ("String.Array", '["value3"]'))
    for n, (kind, value) in enumerate(values, 1):
        attributes = {"store": {"DataType": kind, "StringValue": value}}
        aws.sns.publish(TopicArn=topic, Message=f"message-{n}", MessageAttributes=attributes)
        got[f"messages-{n}"] = without_attributes(aws.receive(url)) if n < 3 else aws.nothing_in(url)
    return got


def without_attributes(answer: dict[str, Any]) -> dict[str, Any]:
    """As a reader gets it that asks for no message attributes."""
    hidden = ("MessageAttributes", "MD5OfMessageAttributes")
    kept = [{k: v for k, v in message.items() if k not in hidden} for message in answer["Messages"]]
    return {**answer, "Messages": kept}


def in_body(aws: Aws, policy: Any, **more: str) -> tuple[str, str]:
    """A topic and the queue's URL, the policy between them."""
    topic, (url, queue) = aws.topic(), aws.queue()
    aws.subscribe(topic, queue, FilterPolicyScope="MessageBody", FilterPolicy=json.dumps(policy), **more)
    return topic, url


def publish_all(aws: Aws, topic: str, bodies: list[Any]) -> None:
    for body in bodies:
        aws.sns.publish(TopicArn=topic, Message=json.dumps(body))


@scenario(BODY + "filter_policy_empty_array_payload")
def empty_array(aws: Aws, _: str) -> dict[str, Any]:
    policy = {"detail": {"eventVersion": [""]}, "source": ["aws.autoscaling"], "resources": [{"exists": False}]}
    topic, url = in_body(aws, policy, RawMessageDelivery="true")
    event = {
        "version": "0", "id": "3e3c153a-8339-4e30-8c35-687ebef853fe", "account": "123456789012",
        "detail-type": "EC2 Instance Launch Successful", "source": "aws.autoscaling", "time": "2015-11-11T21:31:47Z",
        "region": "my-region", "resources": [], "detail": {"eventVersion": "", "responseElements": None},
    }  # fmt: skip
    publish_all(aws, topic, [event, {**event, "source": "aws.ec2"}])
    return {"messages-queue": {"Messages": aws.receive(url, attributes=True)["Messages"]}}


@scenario(BODY + "filter_policy_ip_address_condition")
def addresses(aws: Aws, _: str) -> dict[str, Any]:
    ranges = {"$or": [{"sourceIPAddress": [{"cidr": "10.0.0.0/24"}]},
                      {"sourceIPAddressV6": [{"cidr": "2001:0db8:1234:1a00::/64"}]}]}  # fmt: skip
    topic, url = in_body(aws, {"detail": ranges}, RawMessageDelivery="true")
    details = (
        {"sourceIPAddress": "10.0.0.255"}, {"sourceIPAddress": "10.0.0.256"},
        {"sourceIPAddressV6": "2001:0db8:1234:1a00:0000:0000:0000:0000"},
        {"sourceIPAddressV6": "2001:0db8:123f:1a01::"},
    )  # fmt: skip
    events = [
        {"id": str(n), "source": "test-source", "detail-type": "test-detail-type", "account": "123456789012",
         "region": "my-region", "time": "2022-07-13T13:48:01Z", "detail": detail}
        for n, detail in enumerate(details, 1)
    ]  # fmt: skip
    publish_all(aws, topic, events)
    messages = aws.receive(url, 2, attributes=True)["Messages"]
    return {"messages-queue": {"Messages": sorted(messages, key=lambda m: str(json.loads(m["Body"])["id"]))}}


@scenario(BODY + "filter_policy_for_batch")
def batch(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue), (other_url, other) = aws.topic(), aws.queue(), aws.queue()
    policy = json.dumps({"attr1": [{"numeric": [">", 0, "<=", 100]}]})
    filtered, plain = aws.subscribe(topic, queue, FilterPolicy=policy), aws.subscribe(topic, other)
    got = {
        "subscription-attributes-with-filter": aws.attributes_of(filtered),
        "subscription-attributes-no-filter": aws.attributes_of(plain),
        "messages-with-filter-before-publish": aws.nothing_in(url),
        "messages-no-filter-before-publish": aws.nothing_in(other_url),
    }

    def publish(text: str, value: str) -> None:
        entry = {"Id": "1", "Message": text, "MessageAttributes": {"attr1": number(value)}}
        aws.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[entry])

    publish("This is a test message", "99")
    got["messages-no-filter-after-publish-ok"] = aws.receive(other_url)
    got["messages-with-filter-after-publish-ok"] = aws.receive(url)
    publish("This is another test message", "111")
    got["messages-no-filter-after-publish-ok-1"] = aws.receive(other_url)
    return got | {"messages-with-filter-after-publish-filtered": aws.nothing_in(url)}


@scenario(BODY + "filter_policy_on_message_body[False]", BODY + "filter_policy_on_message_body[True]")
def on_body(aws: Aws, name: str) -> dict[str, Any]:
    policy = {"object": {"key": [{"prefix": "auto-"}, "hardcodedvalue"]}}
    raw = {"RawMessageDelivery": "true"} if "[True]" in name else {}
    topic, url = in_body(aws, policy, **raw)
    got = {"recv-init": aws.nothing_in(url)}
    publish_all(aws, topic, [{"object": {"test": "x"}}, {"object": {"key": "other"}}])
    aws.sns.publish(TopicArn=topic, Message="no JSON")
    for n, value in enumerate(("auto-test", "hardcodedvalue")):
        publish_all(aws, topic, [{"object": {"key": value}}])
        got[f"recv-passed-msg-{n}"] = aws.receive(url)
    return got


@scenario(BODY + "filter_policy_on_message_body_array_of_object_attributes")
def array_of_objects(aws: Aws, _: str) -> dict[str, Any]:
    rules = {"s3": {"object": {"key": [{"prefix": "auto-"}]}}, "eventName": [{"prefix": "ObjectCreated:"}]}
    topic, url = in_body(aws, {"Records": rules}, RawMessageDelivery="true")
    key, other = {"key": "auto-insurance-2314.xml", "size": 17}, {"key": "home-insurance-2314.xml", "size": 17}
    source = {"eventSource": "aws:s3"}
    created, removed = {"eventName": "ObjectCreated:Put"}, {"eventName": "ObjectRemoved:Delete"}
    bucket = {"name": "bucket", "arn": "arn:aws:s3:::bucket"}
    one = {**source, **created, "eventTime": "2022-11-21T03:41:29.743Z", "s3": {"bucket": bucket, "object": key}}
    nested = {**source, **created, "s3": {"object": [[key]]}}
    mixed = {"Records": [{**source, **removed, "s3": {"object": key}}, {**source, **created, "s3": {"object": other}}]}
    two = {"Records": [nested, {**source, **removed, "s3": {"object": other}}]}
    publish_all(aws, topic, [mixed, two, {"Records": [one]}])
    return {"messages": {"Messages": aws.receive(url, 2, attributes=True)["Messages"]}}


@scenario(BODY + "filter_policy_on_message_body_dot_attribute")
def dots(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue) = aws.topic(), aws.queue()
    policy = json.dumps({"object.nested": ["string.value"]})
    subscription = aws.subscribe(topic, queue, FilterPolicyScope="MessageBody", FilterPolicy=policy)
    got = {"recv-init": aws.nothing_in(url)}
    value = "string.value"
    for n, body in enumerate(({"object": {"nested": value}}, {"object.nested": value})):
        publish_all(aws, topic, [body])
        got[f"recv-nested-msg-{n}"] = aws.receive(url)
    set_policy(aws, subscription, {"object.nested.test": [value]})
    deep = (
        {"object": {"nested": {"test": value}}}, {"object.nested.test": value}, {"object.nested": {"test": value}},
        {"object": {"nested.test": value}},
    )  # fmt: skip
    for n, body in enumerate(deep):
        publish_all(aws, topic, [body])
        got[f"recv-deep-nested-msg-{n}"] = aws.receive(url)
    return got


@scenario(BODY + "filter_policy_on_message_body_or_attribute")
def either(aws: Aws, _: str) -> dict[str, Any]:
    detail = {
        "scope": ["Service"],
        "$or": [{"source": ["aws.cloudwatch"]}, {"type": ["CloudWatch Alarm State Change"]}],
    }
    policy = {
        "detail": detail,
        "$or": [{"metricName": ["CPUUtilization", "ReadLatency"]}, {"namespace": ["AWS/EC2", "AWS/ES"]}],
    }
    topic, url = in_body(aws, policy, RawMessageDelivery="true")
    source = {"scope": "Service", "source": "aws.cloudwatch"}
    passing = [
        {"detail": source, "metricName": "CPUUtilization"},
        {"detail": {"scope": "Service", "type": "CloudWatch Alarm State Change"}, "metricName": "CPUUtilization"},
        {"detail": source, "metricName": "ReadLatency"},
        {"detail": source, "namespace": "AWS/EC2"},
        {"detail": source, "namespace": "AWS/ES"},
    ]
    failing = [{"detail": {"scope": "Service"}, "metricName": "CPUUtilization"}, {"detail": source}]
    publish_all(aws, topic, [*failing, *passing])
    return {"messages-queue": {"Messages": aws.receive(url, 5, attributes=True)["Messages"]}}


def many(count: int) -> list[str]:
    return [f"v{n}" for n in range(count)]


REFUSED: dict[str, dict[str, Any]] = {
    "policy_complexity": {
        "error-complexity-in-one-condition": {"key": {"nested": {"deep": many(51)}}},
        "error-complexity-in-two-conditions": {"a": {"b": many(8)}, "c": {"d": many(5)}},
        "error-complexity-too-many-fields": {f"key{n}": ["v"] for n in range(6)},
    },
    "policy_complexity_with_or": {
        "error-complexity-or-flat": {"$or": [{"a": many(80)}, {"b": many(71)}]},
        "error-complexity-or-nested": {"source": many(3), "$or": [{"a": {"b": many(20)}}, {"c": {"d": many(10)}}]},
    },
    "validate_policy": {
        "error-condition-list": {"key": [["value"]]},
        "error-condition-operator": {"key": [{"wrong-operator": True}]},
        "error-condition-two-operators": {"key": [{"suffix": "value", "prefix": "value2"}]},
    },
    "validate_policy_exists_operator": {
        "error-condition-none": {"key": [{"exists": None}]},
        "error-condition-string": {"key": [{"exists": "no"}]},
    },
    "validate_policy_nested_anything_but_operator": {
        "error-condition-anything-but-exists": {"key": [{"anything-but": {"exists": False}}]},
        "error-condition-anything-but-prefix-wrong-type": {"key": [{"anything-but": {"prefix": False}}]},
        "error-condition-anything-but-suffix": {"key": [{"anything-but": {"suffix": "test"}}]},
        "error-condition-wrong-operator": {"key": [{"anything-but": {"wrong-operator": None}}]},
    },
    "validate_policy_numeric_operator": {
        f"error-numeric-{name}": {"key": [{"numeric": value}]}
        for name, value in {
            "empty": [], "missing-range-operator": [">", 20, 30], "missing-range-value": [">", 20, "<="],
            "missing-value": [">="], "operator-order": [1, "<="], "too-many-range": [">", 20, "<", 30, "<", 50],
            "type": ["=", "000"], "wrong-operator": ["operator"], "wrong-range-operators": [">=", 1, ">", 2],
            "wrong-range-order": ["<", 100, ">", 10], "wrong-range-value-1-type": [">", "20", "<", "30"],
            "wrong-range-value-2-type": [">", 20, "<", "30"], "wrong-second-range-operator": [">", 20, "test"],
            "wrong-value-order": [">", 3, "<", 1],
        }.items()
    },
    "validate_policy_string_operators": {
        f"error-condition-{name}": {"key": value}
        for name, value in {
            "bad-cidr-str": [{"cidr": "bad-filter"}], "bad-cidr-str-slash": [{"cidr": "bad-filter/64"}],
            "bad-cidr-str-slash-2": [{"cidr": "bad-filter/bad"}], "bad-cidr-v4": [{"cidr": "xx.11.xx/8"}],
            "bad-cidr-v6": [{"cidr": "xxxx:db8:1234:1a00::/64"}], "bad-type": [{"cidr": ["bad-filter"]}],
            "empty-array": [], "empty-list": [{"suffix": []}], "is-none": [{"suffix": None}],
            "is-not-list-and-no-operator": {"not-an-operator": "value"},
            "is-not-list-and-operator": {"suffix": "value"},
            "is-not-list-two-ops": {"suffix": "value", "prefix": "value"}, "is-numeric": [{"suffix": 100}],
            "list-wrong-type": [{"suffix": ["test", "test2"]}],
        }.items()
    },
}  # fmt: skip
"""Test → case → the policy that AWS refuses."""


@scenario(*(CONDITIONS + name for name in REFUSED))
def refused(aws: Aws, name: str) -> dict[str, Any]:
    topic, (_, queue) = aws.topic(), aws.queue()

    def subscribe(policy: Any) -> dict[str, Any]:
        attributes = {"FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps(policy, separators=(",", ":"))}
        return attempt(aws.sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=attributes)

    return {case: subscribe(policy) for case, policy in REFUSED[name.removeprefix(CONDITIONS)].items()}


@scenario(CRUD + "set_subscription_filter_policy_scope")
def scope(aws: Aws, _: str) -> dict[str, Any]:
    topic, (_, queue) = aws.topic(), aws.queue()
    subscription = aws.subscribe(topic, queue)
    got = {"sub-attrs-default": aws.attributes_of(subscription)}
    set_policy(aws, subscription, "MessageBody", "FilterPolicyScope")
    got["sub-attrs-filter-scope-body"] = aws.attributes_of(subscription)
    got["sub-attrs-filter-scope-error"] = set_policy(aws, subscription, "RandomValue", "FilterPolicyScope")
    set_policy(aws, subscription, {"attr": ["match-this"]})
    return got | {"sub-attrs-after-setting-policy": aws.attributes_of(subscription)}


@scenario(CRUD + "sub_filter_policy_nested_property")
def nested(aws: Aws, _: str) -> dict[str, Any]:
    topic, (_, queue) = aws.topic(), aws.queue()
    subscription = aws.subscribe(topic, queue)
    policy = {"object": {"key": [{"prefix": "auto-"}]}}
    got = {"sub-filter-policy-nested-error": set_policy(aws, subscription, policy)}
    set_policy(aws, subscription, "MessageBody", "FilterPolicyScope")
    set_policy(aws, subscription, policy)
    return got | {"sub-attrs-after-setting-nested-policy": aws.attributes_of(subscription)}
