"""Publish and PublishBatch: what AWS refuses, deduplication of FIFO topics, and the message that goes out."""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

from alerts.aws.errors import AwsError, invalid_parameter
from alerts.sns.attributes import checked_attributes, size_bytes
from alerts.sns.model import Caller, Message, Topic
from alerts.sns.state import State, checked_region

MESSAGE_BYTES_MAX = 262_144
BATCH_MAX = 10
SUBJECT = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,99}")
ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
FIFO_ID = re.compile(r"[\x21-\x7e]{1,128}")
DEDUPLICATION_S = 300.0
REMEMBERED_MAX = 100_000


def now_text() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Sequences:
    """Of FIFO topics: the next sequence number, and what was published within the last five minutes."""

    def __init__(self, clock_s: Any = time.monotonic) -> None:
        self._clock_s = clock_s
        self._numbers = count(10**19 + time.time_ns() // 1_000)
        self._seen: dict[tuple[str, str], tuple[float, Message]] = {}

    def first_of(self, message: Message) -> Message | None:
        """The message with the same deduplication id; None: this one is the first, and is remembered."""
        now = self._clock_s()
        for key in list(self._seen)[:2]:
            if now - self._seen[key][0] > DEDUPLICATION_S or len(self._seen) > REMEMBERED_MAX:
                del self._seen[key]
        key = (message.topic_arn, message.deduplication_id or "")
        seen = self._seen.get(key)
        if seen and now - seen[0] <= DEDUPLICATION_S:
            return seen[1]
        self._seen[key] = (now, message)
        return None

    def next(self) -> str:
        return str(next(self._numbers))


def publish(
    state: State, sequences: Sequences, caller: Caller, asked: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Message]]:
    """The answer, and what is to be sent: nothing where a FIFO topic has had the message already."""
    topic = target_of(state, caller, asked)
    message = checked_message(topic, asked, sequences)
    if size_of(message) > MESSAGE_BYTES_MAX:
        raise invalid_parameter("Message too long")
    first = sequences.first_of(message) if topic.is_fifo else None
    return receipt(first or message), [] if first else [message]


def publish_batch(
    state: State, sequences: Sequences, caller: Caller, asked: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Message]]:
    topic = state.topic(caller, asked["TopicArn"])
    entries = asked.get("PublishBatchRequestEntries", [])
    check_entries(entries)
    messages = [checked_message(topic, entry, sequences) for entry in entries]
    if sum(size_of(message) for message in messages) > MESSAGE_BYTES_MAX:
        raise AwsError(
            "BatchRequestTooLong",
            "The length of all the messages put together is more than the limit.",
        )
    done, out = [], []
    for entry, message in zip(entries, messages, strict=True):
        first = sequences.first_of(message) if topic.is_fifo else None
        done.append({"Id": entry["Id"], **receipt(first or message)})
        out += [] if first else [message]
    return {"Successful": done, "Failed": []}, out


def check_entries(entries: list[Mapping[str, Any]]) -> None:
    ids = [entry["Id"] for entry in entries]
    if not ids:
        raise AwsError("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    if len(ids) > BATCH_MAX:
        raise AwsError("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
    if len(set(ids)) < len(ids):
        raise AwsError("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
    if not all(ENTRY_ID.fullmatch(each) for each in ids):
        raise AwsError("InvalidBatchEntryId", "The Id of a batch entry does not abide by the specification.")


def receipt(message: Message) -> dict[str, Any]:
    sequence = {"SequenceNumber": message.sequence_number} if message.sequence_number else {}
    return {"MessageId": message.id, **sequence}


def target_of(state: State, caller: Caller, asked: Mapping[str, Any]) -> Topic:
    if asked.get("PhoneNumber"):
        raise invalid_parameter("PhoneNumber Reason: text messages are not sent from here")
    arn, parameter = asked.get("TopicArn"), "TopicArn"
    if arn is None:
        arn, parameter = asked.get("TargetArn", ""), "TargetArn"
    if checked_region(caller, arn, parameter).resource.startswith("endpoint/"):
        raise invalid_parameter("TargetArn Reason: No endpoint found for the target arn specified")
    return state.topic(caller, arn, parameter)


def checked_message(topic: Topic, asked: Mapping[str, Any], sequences: Sequences) -> Message:
    subject, text = asked.get("Subject"), asked.get("Message", "")
    if not text:
        raise invalid_parameter("Empty message")
    if subject is not None and not SUBJECT.fullmatch(subject):
        raise invalid_parameter("Subject")
    attributes = checked_attributes(asked.get("MessageAttributes", {}))
    structure = asked.get("MessageStructure")
    if structure not in (None, "json"):
        raise invalid_parameter("MessageStructure")
    group, deduplication = asked.get("MessageGroupId"), asked.get("MessageDeduplicationId")
    check_ids(topic, group, deduplication)
    if topic.is_fifo and deduplication is None:
        deduplication = hashlib.sha256(text.encode()).hexdigest()
    return Message(
        id=str(uuid.uuid4()),
        topic_arn=topic.arn,
        bodies=bodies_of(text) if structure == "json" else {"default": text},
        timestamp=now_text(),
        subject=subject,
        attributes=attributes,
        signature_version=topic.signature_version,
        sequence_number=sequences.next() if topic.is_fifo else None,
        group_id=group,
        deduplication_id=deduplication,
    )


def bodies_of(text: str) -> dict[str, str]:
    """With MessageStructure=json: protocol → text."""
    try:
        given = json.loads(text)
    except ValueError:
        raise invalid_parameter("Message Structure - JSON message body failed to parse") from None
    bodies = {k: v for k, v in given.items() if isinstance(v, str)} if isinstance(given, dict) else {}
    if not bodies.get("default"):
        raise invalid_parameter("Message Structure - No default entry in JSON message body")
    return bodies


def check_ids(topic: Topic, group: str | None, deduplication: str | None) -> None:
    if not topic.is_fifo:
        if deduplication is not None:
            raise invalid_parameter(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not"
                " valid for this topic type"
            )
        return
    if not group:
        raise invalid_parameter("The MessageGroupId parameter is required for FIFO topics")
    if deduplication is None and topic.attributes.get("ContentBasedDeduplication") != "true":
        raise invalid_parameter(
            "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided"
            " explicitly"
        )
    if not FIFO_ID.fullmatch(group):
        raise invalid_parameter("MessageGroupId")
    if deduplication is not None and not FIFO_ID.fullmatch(deduplication):
        raise invalid_parameter("MessageDeduplicationId")


def size_of(message: Message) -> int:
    """Of the longest body; a subject does not count, attributes do."""
    return max(len(text.encode()) for text in message.bodies.values()) + size_bytes(message.attributes)
