"""Scenarios: publishing."""

from __future__ import annotations

import json
from typing import Any

import botocore.auth
import botocore.awsrequest
import httpx
from botocore.credentials import Credentials

from tests.alerts.oracle.aws import Aws
from tests.alerts.oracle.replay import ACCOUNT, attempt, scenario
from tests.alerts.oracle.sns_topics import OTHER_REGION
from tests.alerts.oracle.xml_answer import as_document
from tests.alerts.stand import KEY, REGION, SECRET

CRUD = "test_sns.py::TestSNSPublishCrud::test_"


@scenario(CRUD + "empty_sns_message")
def empty_message(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue) = aws.topic(), aws.queue()
    aws.subscribe(topic, queue)
    refused = attempt(aws.sns.publish, TopicArn=topic, Message="")
    aws.settle()
    depth = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return {"empty-msg-error": refused, "queue-attrs": depth}


@scenario(CRUD + "message_structure_json_exc")
def message_structure(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic()

    def publish(text: str) -> dict[str, Any]:
        return attempt(aws.sns.publish, TopicArn=topic, Message=text, MessageStructure="json")

    return {
        "invalid-json": publish('{"default": "x"'),
        "missing-default-key": publish('{"sqs": "x"}'),
        "key-is-not-string": publish('{"default": {"object": "x"}}'),
        "duplicate-json-keys": publish('{"default": "x", "default": "y"}'),
    }


@scenario(CRUD + "publish_by_path_parameters")
def by_path(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue) = aws.topic(), aws.queue()
    aws.subscribe(topic, queue)
    asked = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": topic,
             "Message": "test message direct post request"}  # fmt: skip
    request = botocore.awsrequest.AWSRequest("POST", aws.stand.url + "/?" + str(httpx.QueryParams(asked)))
    botocore.auth.SigV4Auth(Credentials(KEY, SECRET), "sns", REGION).add_auth(request)
    answer = httpx.post(request.url, headers=dict(request.headers))
    return {"post-request": as_document(answer), "messages": aws.receive(url)}


@scenario(CRUD + "publish_message_before_subscribe_topic")
def before_subscribe(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue) = aws.topic(), aws.queue()
    before = attempt(aws.sns.publish, TopicArn=topic, Subject="test-subject-before-sub", Message="test_message_before")
    aws.subscribe(topic, queue)
    after = attempt(aws.sns.publish, TopicArn=topic, Subject="test-subject-after-sub", Message="test_message_after")
    return {
        "publish-before-subscribing": before,
        "publish-after-subscribing": after,
        "receive-messages": aws.receive(url),
    }


@scenario(CRUD + "publish_message_by_target_arn")
def by_target(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue) = aws.topic(), aws.queue()
    aws.subscribe(topic, queue)
    aws.sns.publish(TopicArn=topic, Message="test-msg-1")
    first = aws.receive(url)
    aws.sns.publish(TargetArn=topic, Message="test-msg-2")
    return {"receive-topic-arn": first, "receive-target-arn": aws.receive(url)}


@scenario(CRUD + "publish_non_existent_target")
def no_target(aws: Aws, _: str) -> dict[str, Any]:
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:endpoint/APNS/abcdef/0f7d5971-aa8b-4bd5-b585-0826e9f93a66"
    return {"non-existent-endpoint": attempt(aws.sns.publish, TargetArn=arn, Message="x")}


@scenario(CRUD + "publish_with_empty_subject")
def empty_subject(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic()
    return {
        "response-without-subject": attempt(aws.sns.publish, TopicArn=topic, Message="x"),
        "response-with-empty-subject": attempt(aws.sns.publish, TopicArn=topic, Subject="", Message="x"),
    }


@scenario(CRUD + "publish_wrong_arn_format")
def wrong_arn(aws: Aws, _: str) -> dict[str, Any]:
    arns = {"invalid-topic-arn": "randomstring", "invalid-topic-arn-1": "randomstring:1", "empty-topic": ""}
    return {name: attempt(aws.sns.publish, TopicArn=arn, Message="x") for name, arn in arns.items()}


@scenario(CRUD + "topic_publish_another_region")
def another_region(aws: Aws, _: str) -> dict[str, Any]:
    topic, other = aws.topic(), aws.client("sns", OTHER_REGION)
    entries = [{"Id": "1", "Message": "x"}]
    return {
        "success": attempt(aws.sns.publish, TopicArn=topic, Message="x"),
        "error": attempt(other.publish, TopicArn=topic, Message="x"),
        "error-batch": attempt(other.publish_batch, TopicArn=topic, PublishBatchRequestEntries=entries),
    }


SQS = "test_sns.py::TestSNSSubscriptionSQS::test_"
BINARY = b"\x02\x03\x04"


@scenario(SQS + "empty_or_wrong_message_attributes")
def wrong_attributes(aws: Aws, _: str) -> dict[str, Any]:
    import boto3
    from botocore.config import Config

    unchecked = boto3.client(
        "sns", endpoint_url=aws.stand.url, region_name=REGION, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
        config=Config(parameter_validation=False),
    )  # fmt: skip
    topic = aws.topic()
    text = {"DataType": "String", "StringValue": "x"}
    cases: dict[str, dict[str, Any]] = {
        "missing_string_attr": {"attr1": {"DataType": "String", "StringValue": ""}},
        "fully_missing_string_attr": {"attr1": {"DataType": "String"}},
        "fully_missing_data_type": {"attr1": {"StringValue": "x"}},
        "missing_binary_attr": {"attr1": {"DataType": "Binary", "BinaryValue": b""}},
        "str_attr_binary_value": {"attr1": {"DataType": "String", "BinaryValue": b"x"}},
        "int_attr_binary_value": {"attr1": {"DataType": "Number", "BinaryValue": b"x"}},
        "binary_attr_string_value": {"attr1": {"DataType": "Binary", "StringValue": "x"}},
        "invalid_attr_string_value": {"attr1": {"DataType": "InvalidType", "StringValue": "x"}},
        "too_long_name": {"a" * 257: text},
        "invalid_name": {"a^*?": text},
        "invalid_name_2": {".abc": text},
        "invalid_name_3": {"abc.": text},
        "invalid_name_4": {"a..bc": text},
    }
    got = {}
    for name, attributes in cases.items():
        got[name] = attempt(unchecked.publish, TopicArn=topic, Message="x", MessageAttributes=attributes)
        entry = {"Id": "1", "Message": "x", "MessageAttributes": attributes}
        got[f"batch-{name}"] = attempt(unchecked.publish_batch, TopicArn=topic, PublishBatchRequestEntries=[entry])
    return got


@scenario(SQS + "message_attributes_not_missing")
def attributes_arrive(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue) = aws.topic(), aws.queue()
    subscription = aws.subscribe(topic, queue, RawMessageDelivery="true")
    attributes = {
        "an-attribute-key": {"DataType": "String", "StringValue": "an-attribute-value"},
        "binary-attribute": {"DataType": "Binary", "BinaryValue": BINARY},
    }
    asked = {"TopicArn": topic, "Message": "text", "MessageAttributes": attributes}
    got = {"publish-msg-raw": attempt(aws.sns.publish, **asked)}
    got["raw-delivery-msg-attrs"] = aws.receive(url, attributes=True)
    aws.sns.set_subscription_attributes(
        SubscriptionArn=subscription, AttributeName="RawMessageDelivery", AttributeValue="false"
    )
    got["publish-msg-json"] = attempt(aws.sns.publish, **asked)
    return got | {"json-delivery-msg-attrs": aws.receive(url, attributes=True)}


@scenario(SQS + "message_attributes_prefixes")
def attribute_prefixes(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic()

    def publish(kind: str) -> dict[str, Any]:
        attributes = {"attr1": {"DataType": kind, "StringValue": "1"}}
        return attempt(aws.sns.publish, TopicArn=topic, Message="x", MessageAttributes=attributes)

    return {
        "publish-error": publish("DataType"),
        "publish-ok-1": publish("Number.java"),
        "publish-ok-2": publish("String.abc"),
        "publish-error-2": publish("Numberjava"),
    }


@scenario(SQS + "publish_batch_messages_from_sns_to_sqs")
def batch(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue) = aws.topic(), aws.queue()
    subscription = aws.subscribe(topic, queue, RawMessageDelivery="true")
    entries: list[dict[str, Any]] = [
        {"Id": "1", "Subject": "Subject", "Message": "Test Message with two attributes",
         "MessageAttributes": {"attr1": number("99.12"), "attr2": number("109.12")}},
        {"Id": "2", "Subject": "Subject", "Message": "Test Message with one attribute",
         "MessageAttributes": {"attr1": number("19.12")}},
        {"Id": "3", "Subject": "Subject", "Message": "Test Message without attribute"},
        {"Id": "4", "Message": "Test Message without subject"},
        {"Id": "5", "Message": json.dumps({"default": "test default", "sqs": "test sqs"}), "MessageStructure": "json"},
    ]  # fmt: skip
    answer = attempt(aws.sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=entries)
    messages = aws.receive(url, 5, attributes=True)["Messages"]
    return {
        "sub-attrs-raw-true": aws.attributes_of(subscription),
        "publish-batch": answer,
        "messages": {"Messages": messages},
    }


def number(text: str) -> dict[str, str]:
    return {"DataType": "Number", "StringValue": text}
