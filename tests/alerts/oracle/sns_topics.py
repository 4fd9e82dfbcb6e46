"""Scenarios: topics."""

from __future__ import annotations

import json
from typing import Any

from tests.alerts.oracle.aws import Aws, unique
from tests.alerts.oracle.replay import ACCOUNT, attempt, scenario

CRUD, V2 = "test_sns.py::TestSNSTopicCrud::test_", "test_sns.py::TestSNSTopicCrudV2::test_"
OTHER_REGION = "us-west-2"


@scenario("test_sns.py::TestSNSMultiRegions::test_cross_region_access")
def cross_region(aws: Aws, _: str) -> dict[str, Any]:
    topic, other = aws.topic(), aws.client("sns", OTHER_REGION)
    _, queue = aws.queue()
    return {
        "get-topic-attrs": attempt(other.get_topic_attributes, TopicArn=topic),
        "set-topic-attrs": attempt(
            other.set_topic_attributes, TopicArn=topic, AttributeName="DisplayName", AttributeValue="x"
        ),
        "cross-region-publish-forbidden": attempt(other.publish, TopicArn=topic, Message="x"),
        "cross-region-subscribe": attempt(other.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=queue),
        "list-subs": attempt(other.list_subscriptions_by_topic, TopicArn=topic),
        "delete-topic": attempt(other.delete_topic, TopicArn=topic),
    }


@scenario(CRUD + "create_topic_with_attributes")
def with_attributes(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic(FifoTopic="true", DisplayName="TestTopic", SignatureVersion="2")
    return {
        "get-topic-attrs": attempt(aws.sns.get_topic_attributes, TopicArn=topic),
        "get-attrs-nonexistent-topic": attempt(aws.sns.get_topic_attributes, TopicArn=topic[:-5] + "x"),
        "get-attrs-malformed-topic": attempt(aws.sns.get_topic_attributes, TopicArn="TestTopic"),
    }


@scenario(CRUD + "delete_topic_idempotency")
def delete_twice(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic()
    return {name: attempt(aws.sns.delete_topic, TopicArn=topic) for name in ("delete-topic", "delete-topic-again")}


@scenario(CRUD + "tags")
def tags(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic()
    two = [{"Key": "k1", "Value": "v1"}, {"Key": "k2", "Value": "v2"}]
    got = {"duplicate-key-error": attempt(aws.sns.tag_resource, ResourceArn=topic, Tags=[two[0], two[0]])}
    aws.sns.tag_resource(ResourceArn=topic, Tags=two)
    got["list-created-tags"] = attempt(aws.sns.list_tags_for_resource, ResourceArn=topic)
    aws.sns.untag_resource(ResourceArn=topic, TagKeys=["k1"])
    got["list-after-delete-tags"] = attempt(aws.sns.list_tags_for_resource, ResourceArn=topic)
    aws.sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "k2", "Value": "v2b"}])
    return got | {"list-after-update-tags": attempt(aws.sns.list_tags_for_resource, ResourceArn=topic)}


@scenario(V2 + "add_permission_errors")
def permission_errors(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic()
    asked = {"TopicArn": topic, "Label": "test", "AWSAccountId": [ACCOUNT]}
    aws.sns.add_permission(**asked, ActionName=["Publish"])
    return {
        "duplicate-label": attempt(aws.sns.add_permission, **asked, ActionName=["Publish"]),
        "invalid-action": attempt(aws.sns.add_permission, **{**asked, "Label": "2"}, ActionName=["InvalidAction"]),
        "topic-not-found": attempt(
            aws.sns.add_permission, **{**asked, "TopicArn": topic + "x"}, ActionName=["Publish"]
        ),
    }


@scenario(V2 + "topic_add_permission", V2 + "topic_add_multiple_permissions")
def add_permission(aws: Aws, name: str) -> dict[str, Any]:
    topic = aws.topic()
    actions = ["Publish", "Subscribe"] if "multiple" in name else ["Publish"]
    answer = attempt(aws.sns.add_permission, TopicArn=topic, Label="test", AWSAccountId=[ACCOUNT], ActionName=actions)
    return {"add-permission-response": answer, "topic-policy-after-permission": policy_of(aws, topic)}


@scenario(V2 + "topic_remove_permission")
def remove_permission(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic()
    aws.sns.add_permission(TopicArn=topic, Label="test", AWSAccountId=[ACCOUNT], ActionName=["Publish"])
    aws.sns.remove_permission(TopicArn=topic, Label="test")
    return {"topic-policy": policy_of(aws, topic)}


def policy_of(aws: Aws, topic: str) -> Any:
    return json.loads(aws.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])


@scenario(V2 + "create_topic_different_attrs")
def different_attributes(aws: Aws, _: str) -> dict[str, Any]:
    name = unique("topic")

    def create(**attributes: str) -> dict[str, Any]:
        return attempt(aws.sns.create_topic, Name=name, Attributes=attributes)

    got = {"create-topic": create(DisplayName="Value1")}
    topic = got["create-topic"]["TopicArn"]
    return got | {
        "topic-attrs": attempt(aws.sns.get_topic_attributes, TopicArn=topic),
        "create-topic-diff-attrs": create(DisplayName="Value2"),
        "create-topic-no-attrs": create(),
        "create-topic-new-attrs": create(KmsMasterKeyId="key"),
        "create-topic-new-and-same-attrs": create(DisplayName="Value1", KmsMasterKeyId="key"),
        "create-topic-new-attrs-fifo": create(FifoTopic="true"),
    }


@scenario(V2 + "create_topic_in_multiple_regions")
def two_regions(aws: Aws, _: str) -> dict[str, Any]:
    name = unique("topic")
    east, west = aws.client("sns", "eu-central-1"), aws.client("sns", "eu-north-1")
    first, second = (region.create_topic(Name=name)["TopicArn"] for region in (east, west))
    return {
        "topic-east": attempt(east.get_topic_attributes, TopicArn=first),
        "topic-west": attempt(west.get_topic_attributes, TopicArn=second),
        "list-primary": attempt(east.list_topics),
        "list-secondary": attempt(west.list_topics),
    }


@scenario(V2 + "create_topic_name_constraints")
def names(aws: Aws, _: str) -> dict[str, Any]:
    def create(name: str, **attributes: str) -> dict[str, Any]:
        return attempt(aws.sns.create_topic, Name=name, Attributes=attributes)

    got = {f"name-invalid-char-{n}": create(f"topic{char}") for n, char in enumerate("!@ #/:.é")}
    return got | {
        "fifo-name-not-contains-fifo": create("topic", FifoTopic="true"),
        "name-contains-fifo": create("topic.fifo"),
        "name-too-long": create("a" * 257),
        "name-too-short": create(""),
        "valid-name-max-length": create("a" * 256),
    }


@scenario(V2 + "create_topic_should_be_idempotent")
def create_twice(aws: Aws, _: str) -> dict[str, Any]:
    name = unique("topic")
    topic = aws.sns.create_topic(Name=name)["TopicArn"]
    aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="AlreadySet")
    got = {"topic-attrs-idempotent-1": attempt(aws.sns.get_topic_attributes, TopicArn=topic)}
    again = aws.sns.create_topic(Name=name)["TopicArn"]
    return got | {"topic-attrs-idempotent-2": attempt(aws.sns.get_topic_attributes, TopicArn=again)}


@scenario(V2 + "data_protection_policy_crud")
def data_protection(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic()
    statement = {
        "Sid": "test-statement", "DataDirection": "Inbound", "Principal": ["*"], "Operation": {"Deny": {}},
        "DataIdentifier": ["arn:aws:dataprotection:us-east-1::data-identifier/EmailAddress"],
    }  # fmt: skip
    policy = {
        "Name": "data_protection_policy", "Description": "Test Policy", "Version": "2021-06-01",
        "Statement": [statement],
    }  # fmt: skip
    got = {"get-topic-attributes-before-policy": attempt(aws.sns.get_topic_attributes, TopicArn=topic)}
    got["put-data-protection-policy"] = attempt(
        aws.sns.put_data_protection_policy, ResourceArn=topic, DataProtectionPolicy=json.dumps(policy)
    )
    return got | {
        "get-data-protection-policy": attempt(aws.sns.get_data_protection_policy, ResourceArn=topic),
        "get-topic-attributes-after-policy": attempt(aws.sns.get_topic_attributes, TopicArn=topic),
    }


@scenario(V2 + "delete_non_existent_topic")
def delete_nothing(aws: Aws, _: str) -> dict[str, Any]:
    return {"delete-non-existent-topic": attempt(aws.sns.delete_topic, TopicArn=aws.topic() + "x")}


@scenario(V2 + "topic_get_attributes_with_fifo_false")
def fifo_false(aws: Aws, _: str) -> dict[str, Any]:
    topic = aws.topic(FifoTopic="false")
    refused = attempt(aws.sns.set_topic_attributes, TopicArn=topic, AttributeName="FifoTopic", AttributeValue="false")
    return {
        "get-attrs-standard-topic": attempt(aws.sns.get_topic_attributes, TopicArn=topic),
        "set-fifo-false-after-creation": refused,
    }
