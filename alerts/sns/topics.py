"""The actions on topics: names, attributes, tags, permissions. State in, an answer or AWS's refusal out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from alerts.aws.errors import AwsError, invalid_parameter, not_found
from alerts.sns import delivery_policy
from alerts.sns.model import FIFO, Caller, Topic
from alerts.sns.state import State, checked_region

NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,251}\.fifo")
PAGE = 100
TAGS_MAX = 50
DEFAULT_ACTIONS = (
    "GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe",
    "ListSubscriptionsByTopic", "Publish",
)  # fmt: skip
FEEDBACK = tuple(
    f"{target}{kind}"
    for target in ("HTTP", "SQS", "Lambda", "Firehose", "Application")
    for kind in ("SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn")
)
SETTABLE = frozenset(
    {"DisplayName", "DeliveryPolicy", "Policy", "KmsMasterKeyId", "SignatureVersion", "TracingConfig",
     "ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy", *FEEDBACK}
)  # fmt: skip


def create_topic(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    name, attributes = asked["Name"], dict(asked.get("Attributes", {}))
    tags = {tag["Key"]: tag["Value"] for tag in checked_tags(asked.get("Tags", []))}
    fifo = attributes.pop("FifoTopic", "false") == "true"
    if not (FIFO_NAME if fifo else NAME).fullmatch(name):
        raise invalid_parameter("Topic Name")
    arn = f"arn:aws:sns:{caller.region}:{caller.account}:{name}"
    there = state.topics.get(arn)
    if there:
        if any(described(there, state).get(key) != value for key, value in attributes.items()):
            raise invalid_parameter("Attributes Reason: Topic already exists with different attributes")
        if tags and tags != dict(there.tags):
            raise invalid_parameter("Tags Reason: Topic already exists with different tags")
        return {"TopicArn": arn}
    topic = Topic(arn, caller.account, {"ContentBasedDeduplication": "false"} if fifo else {}, tags=tags)
    topic = replace(topic, policy=default_policy(topic))
    for attribute, value in attributes.items():
        topic = with_attribute(topic, attribute, value, "Attributes Reason: ")
    state.put_topic(topic)
    return {"TopicArn": arn}


def delete_topic(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    checked_region(caller, asked["TopicArn"], "TopicArn")
    state.drop_topic(asked["TopicArn"])
    return {}


def list_topics(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    arns = [arn for arn, topic in state.topics.items() if topic.region == caller.region]
    return page("Topics", [{"TopicArn": arn} for arn in arns], asked)


def page(name: str, items: list[dict[str, Any]], asked: Mapping[str, Any]) -> dict[str, Any]:
    """A hundred of them from the place that NextToken says."""
    token = asked.get("NextToken") or "0"
    if not token.isdigit():
        raise invalid_parameter("NextToken")
    start = int(token)
    answer: dict[str, Any] = {name: list(islice(items, start, start + PAGE))}
    return answer | ({"NextToken": str(start + PAGE)} if start + PAGE < len(items) else {})


def get_topic_attributes(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"Attributes": described(state.topic(caller, asked["TopicArn"]), state)}


def described(topic: Topic, state: State) -> dict[str, str]:
    subscribers = state.subscribers(topic.arn)
    confirmed = sum(kept.confirmed for kept in subscribers)
    effective = delivery_policy.effective_of_topic(topic.delivery_policy)
    return {
        "TopicArn": topic.arn,
        "Owner": topic.owner,
        "Policy": json.dumps(topic.policy, separators=(",", ":")),
        "DisplayName": "",
        "SubscriptionsConfirmed": str(confirmed),
        "SubscriptionsPending": str(len(subscribers) - confirmed),
        "SubscriptionsDeleted": "0",
        "EffectiveDeliveryPolicy": json.dumps(effective, separators=(",", ":")),
        **({"FifoTopic": "true"} if topic.is_fifo else {}),
        **topic.attributes,
    }


def set_topic_attributes(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    topic = state.topic(caller, asked["TopicArn"])
    state.put_topic(with_attribute(topic, asked["AttributeName"], asked.get("AttributeValue", ""), ""))
    return {}


def with_attribute(topic: Topic, name: str, value: str, prefix: str) -> Topic:
    """Raises AwsError for a name or a value that AWS refuses."""
    fifo_only = name in ("ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy")
    if name not in SETTABLE or (fifo_only and not topic.is_fifo):
        raise invalid_parameter("AttributeName")
    if name == "DeliveryPolicy":
        value = json.dumps(delivery_policy.checked_of_topic(value), separators=(",", ":"))
    if name == "SignatureVersion" and value not in ("1", "2"):
        raise invalid_parameter(f"{prefix}SignatureVersion: must be 1 or 2")
    if name == "DisplayName" and len(value) > 100:
        raise invalid_parameter(f"{prefix}DisplayName: must be at most 100 characters long")
    if name == "Policy":
        return replace(topic, policy=parsed_policy(value))
    return topic.with_attribute(name, value)


def parsed_policy(text: str) -> dict[str, Any]:
    try:
        policy = json.loads(text)
    except ValueError:
        policy = None
    if not isinstance(policy, dict) or not policy.get("Statement"):
        raise invalid_parameter("Policy Error: null")
    return policy


def default_policy(topic: Topic) -> dict[str, Any]:
    return {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [f"SNS:{action}" for action in DEFAULT_ACTIONS],
                "Resource": topic.arn,
                "Condition": {"StringEquals": {"AWS:SourceOwner": topic.owner}},
            }
        ],
    }


def add_permission(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    topic = state.topic(caller, asked["TopicArn"])
    if any(action not in DEFAULT_ACTIONS for action in asked["ActionName"]):
        raise invalid_parameter("Policy statement action out of service scope!")
    if any(statement["Sid"] == asked["Label"] for statement in topic.policy["Statement"]):
        raise invalid_parameter("Statement already exists")
    principals = [f"arn:aws:iam::{account}:root" for account in asked["AWSAccountId"]]
    actions = [f"SNS:{action}" for action in asked["ActionName"]]
    statement = {
        "Sid": asked["Label"],
        "Effect": "Allow",
        "Principal": {"AWS": one_or_all(principals)},
        "Action": one_or_all(actions),
        "Resource": topic.arn,
    }
    state.put_topic(with_statements(topic, [*topic.policy["Statement"], statement]))
    return {}


def remove_permission(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    topic = state.topic(caller, asked["TopicArn"])
    kept = [statement for statement in topic.policy["Statement"] if statement["Sid"] != asked["Label"]]
    state.put_topic(with_statements(topic, kept))
    return {}


def with_statements(topic: Topic, statements: list[Any]) -> Topic:
    return replace(topic, policy={**topic.policy, "Statement": statements})


def one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def put_data_protection_policy(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    topic = state.topic(caller, asked["ResourceArn"], "ResourceArn")
    state.put_topic(replace(topic, data_protection=asked["DataProtectionPolicy"]))
    return {}


def get_data_protection_policy(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"DataProtectionPolicy": state.topic(caller, asked["ResourceArn"], "ResourceArn").data_protection}


def tag_resource(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    topic = tagged(state, caller, asked)
    tags = {**topic.tags, **{tag["Key"]: tag["Value"] for tag in checked_tags(asked["Tags"])}}
    if len(tags) > TAGS_MAX:
        raise AwsError("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")
    state.put_topic(replace(topic, tags=tags))
    return {}


def untag_resource(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    topic = tagged(state, caller, asked)
    state.put_topic(replace(topic, tags={k: v for k, v in topic.tags.items() if k not in asked["TagKeys"]}))
    return {}


def list_tags_for_resource(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"Tags": [{"Key": key, "Value": value} for key, value in tagged(state, caller, asked).tags.items()]}


def tagged(state: State, caller: Caller, asked: Mapping[str, Any]) -> Topic:
    checked_region(caller, asked["ResourceArn"], "ResourceArn")
    topic = state.topics.get(asked["ResourceArn"])
    if topic is None:
        raise AwsError("ResourceNotFound", not_found("Resource").message, 404)
    return topic


def checked_tags(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    if len({tag["Key"] for tag in tags}) < len(tags):
        raise invalid_parameter("Duplicated keys are not allowed.")
    return tags


def is_fifo_name(name: str) -> bool:
    return name.endswith(FIFO)
