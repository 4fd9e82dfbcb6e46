"""The actions on subscriptions: subscribing, the handshake of HTTP endpoints, attributes, unsubscribing.

Nothing is sent here. What an action wants sent (a confirmation) is returned as an `Errand` beside the answer.
"""

from __future__ import annotations

import json
import re
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from alerts.aws.arn import Arn
from alerts.aws.errors import AwsError, invalid_parameter
from alerts.sns import delivery_policy
from alerts.sns.filter_policy import check_filter_policy
from alerts.sns.model import Caller, Message, MessageType, Protocol, Subscription, Topic
from alerts.sns.publishing import now_text
from alerts.sns.state import State
from alerts.sns.topics import is_fifo_name, page

TOKEN = re.compile(r"[0-9a-f]{288}")
TOKEN_LIFE_S = 2 * 24 * 3600.0
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PHONE = re.compile(r"\+?[0-9-]{7,20}")
SETTABLE = frozenset(
    {"DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy",
     "SubscriptionRoleArn", "ReplayPolicy"}
)  # fmt: skip
ENDPOINT_SERVICES = {Protocol.SQS: "SQS", Protocol.LAMBDA: "Lambda", Protocol.FIREHOSE: "Firehose"}
ONES_THAT_CONFIRM = (Protocol.HTTP, Protocol.HTTPS, Protocol.EMAIL, Protocol.EMAIL_JSON)


@dataclass(frozen=True, slots=True)
class Errand:
    """A message that one subscription's endpoint is to get, confirmed or not."""

    subscription: Subscription
    message: Message


def subscribe(state: State, caller: Caller, asked: Mapping[str, Any]) -> tuple[dict[str, Any], list[Errand]]:
    protocol = checked_protocol(asked["Protocol"])
    topic = state.topic(caller, asked["TopicArn"])
    endpoint = asked.get("Endpoint", "")
    check_endpoint(protocol, endpoint, topic)
    new = Subscription(
        arn=f"{topic.arn}:{uuid.uuid4()}",
        topic_arn=topic.arn,
        protocol=protocol,
        endpoint=endpoint,
        owner=caller.account,
        principal=caller.principal,
        confirmed=protocol not in ONES_THAT_CONFIRM,
        authenticated=protocol not in ONES_THAT_CONFIRM,
    )
    attributes = asked.get("Attributes", {})
    for name in sorted(attributes, key="FilterPolicy".__eq__):  # the policy's scope is to be known before the policy
        new = with_attribute(new, topic, name, attributes[name], "Attributes Reason: ")
    there = next((k for k in state.subscribers(topic.arn) if (k.protocol, k.endpoint) == (protocol, endpoint)), None)
    if there:
        if attributes and dict(there.attributes) != dict(new.attributes):
            raise invalid_parameter("Attributes Reason: Subscription already exists with different attributes")
        new = there
    errands = []
    if not new.confirmed:
        new = replace(new, token=secrets.token_hex(144), token_at_s=time.time())
        errands = [Errand(new, confirmation(new, topic, MessageType.SUBSCRIPTION_CONFIRMATION))]
    state.put_subscription(new)
    shown = new.confirmed or asked.get("ReturnSubscriptionArn")
    return {"SubscriptionArn": new.arn if shown else "pending confirmation"}, errands


def checked_protocol(name: str) -> Protocol:
    try:
        return Protocol(name)
    except ValueError:
        raise invalid_parameter(f"Amazon SNS does not support this protocol string: {name}") from None


def check_endpoint(protocol: Protocol, endpoint: str, topic: Topic) -> None:
    if protocol.is_http:
        parts = urlsplit(endpoint)
        if parts.scheme != protocol:
            raise invalid_parameter("Endpoint must match the specified protocol")
        if not parts.hostname:
            raise invalid_parameter("HTTP(S) Endpoint failed verification checks")
    elif protocol in ENDPOINT_SERVICES:
        service = ENDPOINT_SERVICES[protocol]
        if not re.fullmatch(rf"arn:[^:]+:{service.lower()}:[^:]+:\d+:.+", endpoint):
            raise invalid_parameter(f"{service} endpoint ARN")
        if protocol is Protocol.SQS and is_fifo_name(endpoint) and not topic.is_fifo:
            raise invalid_parameter(
                "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"
            )
    elif protocol is Protocol.SMS and not PHONE.fullmatch(endpoint):
        raise invalid_parameter(f"Invalid SMS endpoint: {endpoint}")
    elif protocol in (Protocol.EMAIL, Protocol.EMAIL_JSON) and "@" not in endpoint:
        raise invalid_parameter("Email address")
    if topic.is_fifo and protocol is not Protocol.SQS:
        raise invalid_parameter(f"Invalid parameter: Endpoint Reason: {protocol} is not supported by FIFO topics")


def confirmation(subscription: Subscription, topic: Topic, kind: MessageType) -> Message:
    if kind is MessageType.SUBSCRIPTION_CONFIRMATION:
        text = (
            f"You have chosen to subscribe to the topic {topic.arn}.\n"
            "To confirm the subscription, visit the SubscribeURL included in this message."
        )
    else:
        text = (
            f"You have chosen to deactivate subscription {subscription.arn}.\n"
            "To cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
        )
    return Message(
        id=str(uuid.uuid4()),
        topic_arn=topic.arn,
        bodies={"default": text},
        timestamp=now_text(),
        type=kind,
        signature_version=topic.signature_version,
        token=subscription.token,
    )


def confirm_subscription(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The token names the subscription; of the topic's ARN AWS looks at the region alone."""
    parts = asked["TopicArn"].split(":")
    if len(parts) != 6:
        raise invalid_parameter("Topic")
    token = asked["Token"]
    if not TOKEN.fullmatch(token):
        raise AwsError("InvalidParameter", "Invalid token")
    found = next((kept for kept in state.subscriptions.values() if kept.token == token), None)
    if found is None:
        raise invalid_parameter("Token")
    if found.region != parts[3]:
        raise invalid_parameter("Topic")
    if not found.confirmed:
        if time.time() - found.token_at_s > TOKEN_LIFE_S:
            raise invalid_parameter("Token")
        needs_owner = caller.signed and asked.get("AuthenticateOnUnsubscribe") == "true"
        found = replace(found, confirmed=True, authenticated=caller.signed, unsubscribe_needs_owner=needs_owner)
        state.put_subscription(found)
    return {"SubscriptionArn": found.arn}


def unsubscribe(state: State, caller: Caller, asked: Mapping[str, Any]) -> tuple[dict[str, Any], list[Errand]]:
    """Where nobody signed, the endpoint is told how to come back."""
    arn = asked["SubscriptionArn"]
    if not arn:
        raise invalid_parameter("SubscriptionArn Reason: no value for required parameter")
    parsed = Arn.parse(arn, "SubscriptionArn")
    if not UUID.fullmatch(parsed.resource.rpartition(":")[2]):
        raise invalid_parameter("SubscriptionId")
    found = state.subscriptions.get(arn)
    if found is None:
        return {}, []
    if found.unsubscribe_needs_owner and not caller.signed:
        raise AwsError("AuthorizationError", "Not authorized to perform: SNS:Unsubscribe", 403)
    topic = state.topics[found.topic_arn]
    errands = []
    if found.protocol.is_http and not caller.signed:
        renewed = replace(found, token=secrets.token_hex(144), token_at_s=time.time(), confirmed=False)
        errands = [Errand(renewed, confirmation(renewed, topic, MessageType.UNSUBSCRIBE_CONFIRMATION))]
    state.drop_subscription(arn)
    return {}, errands


def list_subscriptions(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    return page("Subscriptions", [shown(s) for s in state.subscriptions.values() if s.region == caller.region], asked)


def list_subscriptions_by_topic(state: State, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    topic = state.topic(caller, asked["TopicArn"])
    return page("Subscriptions", [shown(kept) for kept in state.subscribers(topic.arn)], asked)


def shown(subscription: Subscription) -> dict[str, Any]:
    return {
        "SubscriptionArn": subscription.arn if subscription.confirmed else "PendingConfirmation",
        "Owner": subscription.owner,
        "Protocol": subscription.protocol.value,
        "Endpoint": subscription.endpoint,
        "TopicArn": subscription.topic_arn,
    }


def get_subscription_attributes(state: State, _caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    found = state.subscription(asked["SubscriptionArn"])
    attributes = {
        "SubscriptionArn": found.arn,
        "TopicArn": found.topic_arn,
        "Owner": found.owner,
        "Protocol": found.protocol.value,
        "Endpoint": found.endpoint,
        "ConfirmationWasAuthenticated": str(found.authenticated).lower(),
        "PendingConfirmation": str(not found.confirmed).lower(),
        "SubscriptionPrincipal": found.principal,
        "RawMessageDelivery": "false",
        **found.attributes,
    }
    if "FilterPolicy" in attributes:
        attributes.setdefault("FilterPolicyScope", "MessageAttributes")
    else:
        attributes.pop("FilterPolicyScope", None)
    if found.protocol.is_http:
        effective = delivery_policy.effective_of_subscription(
            found.delivery_policy, state.topics[found.topic_arn].delivery_policy
        )
        attributes["EffectiveDeliveryPolicy"] = json.dumps(effective, separators=(",", ":"))
    return {"Attributes": attributes}


def set_subscription_attributes(state: State, _caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
    found = state.subscription(asked["SubscriptionArn"])
    topic = state.topics[found.topic_arn]
    state.put_subscription(with_attribute(found, topic, asked["AttributeName"], asked.get("AttributeValue", ""), ""))
    return {}


def with_attribute(subscription: Subscription, topic: Topic, name: str, value: str, prefix: str) -> Subscription:
    """Raises AwsError for a name or a value that AWS refuses. `prefix`: how AWS introduces it in Subscribe."""
    if name not in SETTABLE:
        raise invalid_parameter(f"{prefix}Unknown attribute: {name}" if prefix else "AttributeName")
    if name == "RawMessageDelivery" and value not in ("true", "false"):
        raise invalid_parameter(f"{prefix}RawMessageDelivery: Invalid value [{value}]. Must be true or false.")
    if name == "FilterPolicyScope" and value not in ("MessageBody", "MessageAttributes"):
        raise invalid_parameter(
            f"{prefix}FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
        )
    if name == "FilterPolicy" and value:
        check_filter_policy(value, in_body=subscription.filters_body)
        value = "" if value.strip() == "{}" else value
    if name == "DeliveryPolicy" and value:
        if not subscription.protocol.is_http:
            raise invalid_parameter(f"{prefix}DeliveryPolicy: only HTTP and HTTPS subscriptions have one")
        value = json.dumps(delivery_policy.checked_of_subscription(value), separators=(",", ":"))
    if name == "RedrivePolicy" and value:
        check_redrive_policy(value, subscription, topic, prefix)
    return subscription.with_attribute(name, value)


def check_redrive_policy(text: str, subscription: Subscription, topic: Topic, prefix: str) -> None:
    try:
        target = json.loads(text)["deadLetterTargetArn"]
    except (ValueError, KeyError, TypeError):
        raise invalid_parameter(f"{prefix}RedrivePolicy: failed to parse JSON.") from None
    if not re.fullmatch(r"arn:[^:]+:sqs:[^:]+:\d+:[A-Za-z0-9_-]+(\.fifo)?", str(target)):
        raise invalid_parameter(f"{prefix}RedrivePolicy: deadLetterTargetArn is an invalid arn")
    if Arn.parse(target, "RedrivePolicy").region != topic.region:
        raise invalid_parameter(f"{prefix}RedrivePolicy: deadLetterTargetArn must be in the same region as the topic")
    if topic.is_fifo and is_fifo_name(subscription.endpoint) and not is_fifo_name(target):
        raise invalid_parameter("RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")
