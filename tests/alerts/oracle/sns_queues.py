"""Scenarios: delivery to SQS, dead-letter queues, FIFO topics."""

from __future__ import annotations

import json
from typing import Any

from tests.alerts.oracle.aws import Aws
from tests.alerts.oracle.replay import attempt, scenario
from tests.alerts.oracle.sns_publish import BINARY, number

SQS, FIFO = "test_sns.py::TestSNSSubscriptionSQS::test_", "test_sns.py::TestSNSSubscriptionSQSFifo::test_"
BATCH: tuple[dict[str, Any], ...] = (
    {"Id": "1", "MessageGroupId": "complexMessageGroupId", "Subject": "Subject",
     "Message": "Test Message with two attributes",
     "MessageAttributes": {"attr1": number("99.12"), "attr2": number("109.12")}},
    {"Id": "2", "MessageGroupId": "complexMessageGroupId", "Subject": "Subject",
     "Message": "Test Message with one attribute", "MessageAttributes": {"attr1": number("19.12")}},
    {"Id": "3", "MessageGroupId": "complexMessageGroupId", "Subject": "Subject",
     "Message": "Test Message without attribute"},
)  # fmt: skip


def raw_of(name: str) -> dict[str, str]:
    return {"RawMessageDelivery": "true" if "[True]" in name else "false"}


@scenario(SQS + "attribute_raw_subscribe")
def raw(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue) = aws.topic(), aws.queue()
    subscription = aws.subscribe(topic, queue, RawMessageDelivery="true")
    attributes = {"store": {"DataType": "Binary", "BinaryValue": BINARY}}
    aws.sns.publish(TopicArn=topic, Message="This is a test message", MessageAttributes=attributes)
    return {"subscription-attributes": aws.attributes_of(subscription), "messages-response": aws.receive(url)}


@scenario(
    SQS + "publish_message_group_id", SQS + "publish_sqs_verify_signature[1]", SQS + "publish_sqs_verify_signature[2]"
)
def signed(aws: Aws, name: str) -> dict[str, Any]:
    topic, (url, queue) = aws.topic(), aws.queue()
    if "[2]" in name:
        aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
    aws.subscribe(topic, queue)
    group = {"MessageGroupId": "my-group-id-1"} if "group_id" in name else {}
    aws.sns.publish(
        TopicArn=topic,
        Message="test signature value with attributes",
        MessageAttributes={"attr1": number("1")},
        **group,
    )
    return {"messages": aws.receive(url, attributes=True)}


@scenario(SQS + "sqs_topic_subscription_confirmation")
def confirmed_at_once(aws: Aws, _: str) -> dict[str, Any]:
    topic, (_, queue) = aws.topic(), aws.queue()
    return {"subscription-attrs": aws.attributes_of(aws.subscribe(topic, queue))["Attributes"]}


@scenario(SQS + "subscribe_to_sqs_with_queue_url")
def by_url(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, _) = aws.topic(), aws.queue()
    return {"sub-queue-url": attempt(aws.sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=url)}


@scenario(SQS + "redrive_policy_sqs_queue_subscription[False]", SQS + "redrive_policy_sqs_queue_subscription[True]")
def redrive(aws: Aws, name: str) -> dict[str, Any]:
    topic, (url, queue), (dead_url, dead) = aws.topic(), aws.queue(), aws.queue()
    aws.subscribe(topic, queue, RedrivePolicy=json.dumps({"deadLetterTargetArn": dead}), **raw_of(name))
    aws.sqs.delete_queue(QueueUrl=url)
    attributes = {"attr1": number("111"), "attr2": {"DataType": "Binary", "BinaryValue": BINARY}}
    aws.sns.publish(TopicArn=topic, Message="test_dlq_after_sqs_endpoint_deleted", MessageAttributes=attributes)
    return {"messages": aws.receive(dead_url, attributes=True)}


@scenario(SQS + "subscription_after_failure_to_deliver")
def after_failure(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue), (dead_url, dead) = aws.topic(), aws.queue(), aws.queue()
    subscription = aws.subscribe(topic, queue)
    got = {"subscriptions-attrs": aws.attributes_of(subscription)}
    aws.sns.publish(TopicArn=topic, Message="test_dlq_before_sqs_endpoint_deleted")
    got["messages-before-delete"] = aws.receive(url)
    aws.sqs.delete_queue(QueueUrl=url)
    aws.sns.publish(TopicArn=topic, Message="nobody gets this")
    aws.settle()
    got["subscriptions"] = attempt(aws.sns.list_subscriptions_by_topic, TopicArn=topic)
    aws.sns.set_subscription_attributes(
        SubscriptionArn=subscription,
        AttributeName="RedrivePolicy",
        AttributeValue=json.dumps({"deadLetterTargetArn": dead}),
    )
    got["subscriptions-attrs-with-redrive"] = aws.attributes_of(subscription)
    for n in (0, 1):
        aws.sns.publish(TopicArn=topic, Message=f"test_dlq_after_sqs_endpoint_deleted_{n}")
        got[f"message-{n}-after-delete"] = aws.receive(dead_url)
    return got


@scenario(FIFO + "fifo_topic_to_regular_sqs[False]", FIFO + "fifo_topic_to_regular_sqs[True]")
def fifo_to_standard(aws: Aws, name: str) -> dict[str, Any]:
    content = "true" if "[True]" in name else "false"
    topic, (url, queue) = aws.topic(FifoTopic="true", ContentBasedDeduplication=content), aws.queue()
    aws.subscribe(topic, queue)
    asked = {"TopicArn": topic, "Message": "Test", "MessageGroupId": "group"}
    asked |= {} if content == "true" else {"MessageDeduplicationId": "id-1"}
    aws.sns.publish(**asked)
    messages = aws.receive(url, attributes=True)
    aws.sns.publish(**asked)
    return {"messages": messages, "dedup-messages": aws.nothing_in(url)}


@scenario(
    FIFO + "publish_batch_messages_from_fifo_topic_to_fifo_queue[False]",
    FIFO + "publish_batch_messages_from_fifo_topic_to_fifo_queue[True]",
)
def fifo_batch(aws: Aws, name: str) -> dict[str, Any]:
    by_content = "[True]" in name
    topic = aws.topic(FifoTopic="true", ContentBasedDeduplication=str(by_content).lower())
    url, queue = aws.queue(FifoQueue="true")
    got = {"topic-attrs": attempt(aws.sns.get_topic_attributes, TopicArn=topic)}
    got["sub-attrs-raw-true"] = aws.attributes_of(aws.subscribe(topic, queue, RawMessageDelivery="true"))
    ids = [{} if by_content else {"MessageDeduplicationId": f"MessageDeduplicationId-{n}"} for n in range(3)]
    entries = [{**entry, **own} for entry, own in zip(BATCH, ids, strict=True)]
    got["publish-batch-response-fifo"] = attempt(
        aws.sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=entries
    )
    got["messages"] = {"Messages": aws.receive(url, 3, attributes=True)["Messages"]}
    got["republish-batch-response-fifo"] = attempt(
        aws.sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=entries
    )
    return got | {"duplicate-messages": aws.nothing_in(url)}


@scenario(FIFO + "publish_fifo_messages_to_dlq[False]", FIFO + "publish_fifo_messages_to_dlq[True]")
def fifo_redrive(aws: Aws, name: str) -> dict[str, Any]:
    topic = aws.topic(FifoTopic="true")
    (url, queue), (dead_url, dead) = aws.queue(FifoQueue="true"), aws.queue(FifoQueue="true")
    got = {"topic-attrs": attempt(aws.sns.get_topic_attributes, TopicArn=topic)}
    aws.subscribe(topic, queue, RedrivePolicy=json.dumps({"deadLetterTargetArn": dead}), **raw_of(name))
    aws.sqs.delete_queue(QueueUrl=url)
    got["publish-response-fifo"] = attempt(
        aws.sns.publish,
        TopicArn=topic,
        Message="test-message",
        MessageGroupId="message-group-id-1",
        MessageDeduplicationId="message-deduplication-id-1",
    )
    got["messages-in-dlq"] = {"Messages": aws.receive(dead_url, attributes=True)["Messages"]}
    entries = [{**entry, "MessageDeduplicationId": f"MessageDeduplicationId-{entry['Id']}"} for entry in BATCH]
    got["publish-batch-response-fifo"] = attempt(
        aws.sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=entries
    )
    return got | {"batch-messages-in-dlq": {"Messages": aws.receive(dead_url, 3, attributes=True)["Messages"]}}


@scenario(
    FIFO + "publish_to_fifo_topic_to_sqs_queue_no_content_dedup[False]",
    FIFO + "publish_to_fifo_topic_to_sqs_queue_no_content_dedup[True]",
)
def fifo_queue_deduplicates(aws: Aws, name: str) -> dict[str, Any]:
    topic = aws.topic(FifoTopic="true", ContentBasedDeduplication="true")
    url, queue = aws.queue(FifoQueue="true")
    aws.subscribe(topic, queue, **raw_of(name))
    aws.sns.publish(TopicArn=topic, Message="Test single", MessageGroupId="message-group-id-1")
    entry = {"Id": "1", "Message": "Test batched", "MessageGroupId": "message-group-id-1"}
    aws.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[entry])
    return {"messages": {"Messages": aws.receive(url, 2, attributes=True)["Messages"]}}


@scenario(FIFO + "validations_for_fifo")
def fifo_validations(aws: Aws, _: str) -> dict[str, Any]:
    fifo, standard = aws.topic(FifoTopic="true"), aws.topic()
    (_, plain), (_, queue) = aws.queue(), aws.queue(FifoQueue="true")
    subscription = aws.subscribe(fifo, queue)
    return {
        "not-fifo-topic": attempt(aws.sns.subscribe, TopicArn=standard, Protocol="sqs", Endpoint=queue),
        "not-fifo-queue": aws.attributes_of(aws.subscribe(fifo, plain))["Attributes"],
        "regular-queue-for-dlq-of-fifo-topic": attempt(
            aws.sns.set_subscription_attributes,
            SubscriptionArn=subscription,
            AttributeName="RedrivePolicy",
            AttributeValue=json.dumps({"deadLetterTargetArn": plain}),
        ),
        "no-msg-group-id": attempt(aws.sns.publish, TopicArn=fifo, Message="x"),
        "no-dedup-policy": attempt(aws.sns.publish, TopicArn=fifo, Message="x", MessageGroupId="g"),
        "no-msg-dedup-regular-topic": attempt(
            aws.sns.publish, TopicArn=standard, Message="x", MessageDeduplicationId="d"
        ),
    }
