"""What must outlive the process: topics, subscriptions, deliveries accepted and not yet done, the signing key.

One SQLite file, or memory alone. A message that Publish has answered is in it before the answer leaves, so a kill
of the process costs a delay and no page. A power cut may cost the last moments: no write waits for the disk.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alerts.aws.arn import Arn
from alerts.aws.errors import invalid_parameter, not_found
from alerts.sns.model import Caller, Protocol, Subscription, Topic

SCHEMA = "CREATE TABLE IF NOT EXISTS kept (kind TEXT, key TEXT, document TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID"


class Store:
    """Documents by kind and key."""

    def __init__(self, path: Path | None) -> None:
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute(SCHEMA)

    def put(self, kind: str, key: str, document: Any) -> None:
        self._database.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (kind, key, json.dumps(document)))

    def put_all(self, kind: str, documents: dict[str, Any]) -> None:
        """All or none."""
        rows = [(kind, key, json.dumps(document)) for key, document in documents.items()]
        with self._database:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", rows)

    def drop(self, kind: str, key: str) -> None:
        self._database.execute("DELETE FROM kept WHERE kind = ? AND key = ?", (kind, key))

    def all(self, kind: str) -> Iterator[tuple[str, Any]]:
        for key, document in self._database.execute("SELECT key, document FROM kept WHERE kind = ?", (kind,)):
            yield key, json.loads(document)

    def close(self) -> None:
        self._database.close()


class State:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.topics: dict[str, Topic] = {arn: Topic(**kept) for arn, kept in store.all("topic")}
        self.subscriptions: dict[str, Subscription] = {
            arn: Subscription(**{**kept, "protocol": Protocol(kept["protocol"])})
            for arn, kept in store.all("subscription")
        }

    def put_topic(self, topic: Topic) -> None:
        self.topics[topic.arn] = topic
        self.store.put("topic", topic.arn, asdict(topic))

    def drop_topic(self, arn: str) -> None:
        for subscription in self.subscribers(arn):
            self.drop_subscription(subscription.arn)
        if self.topics.pop(arn, None):
            self.store.drop("topic", arn)

    def put_subscription(self, subscription: Subscription) -> None:
        self.subscriptions[subscription.arn] = subscription
        self.store.put("subscription", subscription.arn, asdict(subscription))

    def drop_subscription(self, arn: str) -> None:
        if self.subscriptions.pop(arn, None):
            self.store.drop("subscription", arn)

    def subscribers(self, topic_arn: str) -> list[Subscription]:
        return [kept for kept in self.subscriptions.values() if kept.topic_arn == topic_arn]

    def topic(self, caller: Caller, arn: str, parameter: str = "TopicArn") -> Topic:
        """Raises AwsError: no ARN, another region's, or not there."""
        checked_region(caller, arn, parameter)
        if arn not in self.topics:
            raise not_found("Topic")
        return self.topics[arn]

    def subscription(self, arn: str) -> Subscription:
        Arn.parse(arn, "SubscriptionArn")
        if arn not in self.subscriptions:
            raise not_found("Subscription")
        return self.subscriptions[arn]


def checked_region(caller: Caller, arn: str, parameter: str) -> Arn:
    parsed = Arn.parse(arn, parameter)
    if parsed.region != caller.region:
        raise invalid_parameter(parameter)
    return parsed
