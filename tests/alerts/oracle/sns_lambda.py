"""Scenarios: delivery to Lambda. The functions are those of `FUNCTIONS`, on the real runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.alerts.oracle.aws import Aws, until
from tests.alerts.oracle.replay import ACCOUNT, attempt, scenario
from tests.alerts.oracle.sns_publish import number
from tests.alerts.stand import REGION, ROOT, Stand
from tests.servers import json_lines

PREFIX = "test_sns.py::TestSNSSubscriptionLambda::test_"
DEAD_LETTERS = "lambda-dead-letters"


def functions(folder: Path) -> list[dict[str, Any]]:
    return [
        {"name": "note", "handler": "tests.alerts.lambdas.handlers.note", "task_root": str(ROOT),
         "environment": {"NOTES": str(folder / "notes.jsonl")}},
        {"name": "fail", "handler": "tests.alerts.lambdas.handlers.fail", "task_root": str(ROOT),
         "dead_letter_arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:{DEAD_LETTERS}"},
        {"name": "misbehave", "handler": "tests.alerts.lambdas.handlers.misbehave", "task_root": str(ROOT),
         "timeout_s": 2.0},
    ]  # fmt: skip


def arn(name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def noted(stand: Stand, topic: str) -> list[Any]:
    """What the function got from this topic."""
    events = json_lines(stand.folder / "notes.jsonl")
    found = [record["Sns"] for event in events for record in event["Records"]]
    return [document for document in found if document["TopicArn"] == topic]


@scenario(
    *(PREFIX + f"publish_lambda_verify_signature[{n}]" for n in "12"), PREFIX + "python_lambda_subscribe_sns_topic"
)
def notification(aws: Aws, name: str) -> dict[str, Any]:
    topic, subject = aws.topic(), "[Subject] Test subject"
    if "signature" in name:
        version = name[-2]
        subject += f" Signature v{version}"
        aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue=version)
    aws.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn("note"))
    aws.sns.publish(TopicArn=topic, Subject=subject, Message="Hello world.")
    return {"notification": until(lambda: noted(aws.stand, topic), "the function is invoked")[0]}


@scenario(PREFIX + "redrive_policy_lambda_subscription")
def redrive(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue) = aws.topic(), aws.queue()
    redrive_policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": queue})}
    subscription = aws.sns.subscribe(
        TopicArn=topic, Protocol="lambda", Endpoint=arn("deleted"), Attributes=redrive_policy
    )["SubscriptionArn"]
    attributes = aws.attributes_of(subscription)
    aws.sns.publish(TopicArn=topic, Message="test_redrive_policy", MessageAttributes={"attr1": number("1")})
    return {"subscription-attributes": attributes, "messages": aws.receive(url)}


@scenario(PREFIX + "sns_topic_as_lambda_dead_letter_queue")
def dead_letter_topic(aws: Aws, _: str) -> dict[str, Any]:
    topic, (url, queue) = aws.topic(), aws.queue()
    dead = aws.sns.create_topic(Name=DEAD_LETTERS)["TopicArn"]
    aws.subscribe(dead, queue)
    aws.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn("fail"))
    configured = aws.client("lambda").get_function_configuration(FunctionName="fail")["DeadLetterConfig"]
    aws.sns.publish(TopicArn=topic, Message=json.dumps({"raise_error": 1}))
    return {"lambda-response-dlq-config": configured, "messages": aws.receive(url)}


@scenario("test_sns.py::TestSNSPublishDelivery::test_delivery_lambda")
def delivery_logs(aws: Aws, _: str) -> dict[str, Any]:
    """All but the log of deliveries, which AWS writes to CloudWatch Logs."""
    topic = aws.topic()
    got = {"get-topic-attrs": attempt(aws.sns.get_topic_attributes, TopicArn=topic)}
    got["publish-no-logs"] = attempt(aws.sns.publish, TopicArn=topic, Message="no logs")
    role = f"arn:aws:iam::{ACCOUNT}:role/logs"
    for name, value in (("LambdaSuccessFeedbackRoleArn", role), ("LambdaSuccessFeedbackSampleRate", "100")):
        aws.sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)
    got["get-topic-attrs-with-success-feedback"] = attempt(aws.sns.get_topic_attributes, TopicArn=topic)
    aws.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn("note"))
    return got | {"publish-logs": attempt(aws.sns.publish, TopicArn=topic, Message="logs")}
