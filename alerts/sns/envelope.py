"""A message as each kind of subscriber gets it: the JSON document, Lambda's event, raw text, the headers of HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from alerts.sns import delivery_policy
from alerts.sns.model import Attribute, Message, MessageType, Subscription, Topic
from alerts.sns.signing import Signer

USER_AGENT = "Amazon Simple Notification Service Agent"


@dataclass(frozen=True, slots=True)
class Envelopes:
    """`base_url`: where this SNS answers, for the links in a message."""

    base_url: str
    signer: Signer

    def document(self, message: Message, subscription: Subscription) -> dict[str, Any]:
        """In AWS's order of fields. FIFO messages are not signed."""
        document: dict[str, Any] = {"Type": message.type.value, "MessageId": message.id}
        if message.sequence_number:
            document["SequenceNumber"] = message.sequence_number
        if message.type is not MessageType.NOTIFICATION:
            document["Token"] = message.token
        document["TopicArn"] = message.topic_arn
        if message.subject is not None:
            document["Subject"] = message.subject
        document["Message"] = message.body_for(subscription.protocol)
        if message.type is not MessageType.NOTIFICATION:
            document["SubscribeURL"] = (
                f"{self.base_url}/?Action=ConfirmSubscription&TopicArn={message.topic_arn}&Token={message.token}"
            )
        document["Timestamp"] = message.timestamp
        if not message.sequence_number:
            document["SignatureVersion"] = message.signature_version
            document["Signature"] = self.signer.sign(document)
            document["SigningCertURL"] = f"{self.base_url}{self.signer.path}"
        if message.type is MessageType.NOTIFICATION:
            document["UnsubscribeURL"] = f"{self.base_url}/?Action=Unsubscribe&SubscriptionArn={subscription.arn}"
        if message.attributes:
            document["MessageAttributes"] = shown_attributes(message.attributes)
        return document

    def text(self, message: Message, subscription: Subscription) -> str:
        if subscription.is_raw and message.type is MessageType.NOTIFICATION:
            return message.body_for(subscription.protocol)
        return json.dumps(self.document(message, subscription), indent=2, separators=(",", " : "), ensure_ascii=False)

    def lambda_event(self, message: Message, subscription: Subscription) -> dict[str, Any]:
        signed = replace(message, signature_version="1")  # so AWS does, whatever the topic's version
        document = self.document(signed, subscription)
        for plain, here in (("SigningCertURL", "SigningCertUrl"), ("UnsubscribeURL", "UnsubscribeUrl")):
            if plain in document:
                document[here] = document.pop(plain)
        document.setdefault("Subject", None)
        document.setdefault("MessageAttributes", {})
        record = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription.arn,
            "Sns": document,
        }
        return {"Records": [record]}


def shown_attributes(attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    return {name: {"Type": kept.type, "Value": kept.value} for name, kept in attributes.items()}


def http_headers(message: Message, subscription: Subscription, topic: Topic) -> dict[str, str]:
    """A confirmation is always plain text; a notification as the delivery policies say."""
    notification = message.type is MessageType.NOTIFICATION
    policy = delivery_policy.effective_of_subscription(subscription.delivery_policy, topic.delivery_policy)
    content_type = policy["requestPolicy"].get("headerContentType", delivery_policy.DEFAULT_CONTENT_TYPE)
    headers = {
        "x-amz-sns-message-type": message.type.value,
        "x-amz-sns-message-id": message.id,
        "x-amz-sns-topic-arn": message.topic_arn,
    }
    if message.type is not MessageType.SUBSCRIPTION_CONFIRMATION:
        headers["x-amz-sns-subscription-arn"] = subscription.arn
    if notification and subscription.is_raw:
        headers["x-amz-sns-rawdelivery"] = "true"
    return headers | {
        "Content-Type": content_type if notification else delivery_policy.DEFAULT_CONTENT_TYPE,
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "gzip,deflate",
        "Connection": "Keep-Alive",
    }


def sqs_attributes(attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    """What SQS's SendMessage takes; for raw delivery."""
    return {
        name: {"DataType": kept.type, "BinaryValue": base64.b64decode(kept.value)}
        if kept.type.startswith("Binary")
        else {"DataType": kept.type, "StringValue": kept.value}
        for name, kept in attributes.items()
    }
