"""What SNS keeps: topics, subscriptions, and a message on its way. Values; a change makes a new one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

FIFO = ".fifo"


class Protocol(StrEnum):
    HTTP = "http"
    HTTPS = "https"
    SQS = "sqs"
    LAMBDA = "lambda"
    EMAIL = "email"
    EMAIL_JSON = "email-json"
    SMS = "sms"
    APPLICATION = "application"
    FIREHOSE = "firehose"

    @property
    def is_http(self) -> bool:
        return self in (Protocol.HTTP, Protocol.HTTPS)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and where: the account's region comes from the signature, or from the ARN where nobody signed."""

    account: str
    region: str
    principal: str
    signed: bool = True


@dataclass(frozen=True, slots=True)
class Topic:
    arn: str
    owner: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    data_protection: str = ""

    @property
    def is_fifo(self) -> bool:
        return self.arn.endswith(FIFO)

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def signature_version(self) -> str:
        return self.attributes.get("SignatureVersion", "1")

    @property
    def delivery_policy(self) -> dict[str, Any]:
        return dict(json.loads(self.attributes.get("DeliveryPolicy") or "{}"))

    def with_attribute(self, name: str, value: str) -> Self:
        return replace(self, attributes={**self.attributes, name: value})


@dataclass(frozen=True, slots=True)
class Subscription:
    arn: str
    topic_arn: str
    protocol: Protocol
    endpoint: str
    owner: str
    principal: str
    confirmed: bool
    authenticated: bool
    """Whether the confirmation was signed; then only the owner may unsubscribe, where the confirmer asked for that."""
    unsubscribe_needs_owner: bool = False
    token: str = ""
    token_at_s: float = 0.0
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def is_raw(self) -> bool:
        return self.attributes.get("RawMessageDelivery") == "true"

    @property
    def delivery_policy(self) -> dict[str, Any]:
        return dict(json.loads(self.attributes.get("DeliveryPolicy") or "{}"))

    @property
    def filter_policy(self) -> Any:
        text = self.attributes.get("FilterPolicy")
        return json.loads(text) if text else None

    @property
    def filters_body(self) -> bool:
        return self.attributes.get("FilterPolicyScope") == "MessageBody"

    @property
    def dead_letter_arn(self) -> str | None:
        policy = self.attributes.get("RedrivePolicy")
        return str(json.loads(policy)["deadLetterTargetArn"]) if policy else None

    def with_attribute(self, name: str, value: str) -> Self:
        """Empty: taken away."""
        others = {key: kept for key, kept in self.attributes.items() if key != name}
        return replace(self, attributes={**others, name: value} if value else others)


class MessageType(StrEnum):
    NOTIFICATION = "Notification"
    SUBSCRIPTION_CONFIRMATION = "SubscriptionConfirmation"
    UNSUBSCRIBE_CONFIRMATION = "UnsubscribeConfirmation"


@dataclass(frozen=True, slots=True)
class Attribute:
    type: str
    value: str  # binary: base64


@dataclass(frozen=True, slots=True)
class Message:
    """`bodies`: protocol → text, with "default" for all others."""

    id: str
    topic_arn: str
    bodies: Mapping[str, str]
    timestamp: str
    type: MessageType = MessageType.NOTIFICATION
    subject: str | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    signature_version: str = "1"
    sequence_number: str | None = None
    group_id: str | None = None
    deduplication_id: str | None = None
    token: str | None = None

    def body_for(self, protocol: str) -> str:
        return self.bodies.get(protocol, self.bodies["default"])

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Message:
        attributes = {name: Attribute(**attribute) for name, attribute in document["attributes"].items()}
        return cls(**{**document, "attributes": attributes, "type": MessageType(document["type"])})
