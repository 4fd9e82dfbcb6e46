"""At start, as any client: topics, the queue, subscriptions, billing alarms; again until SNS takes them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from alerts.cloudwatch.definitions import BILLING, read_alarms
from alerts.subscribers import dead_man
from alerts.subscribers.queue_reader import QueueReader
from alerts.subscribers.settings import SubscribersSettings

PAUSE_S = 0.2


class Subscribing:
    """`done` once SNS says that everybody is subscribed and has confirmed."""

    def __init__(
        self,
        sns: Any,
        cloudwatch: Any,
        reader: QueueReader,
        receiver_url: str,
        function_arn: str,
        settings: SubscribersSettings,
    ) -> None:
        self._sns, self._cloudwatch = sns, cloudwatch
        self._reader, self._receiver_url = reader, receiver_url
        self._function_arn, self._settings = function_arn, settings
        self.done = False

    async def run(self) -> None:
        """Then read the queue, until cancelled."""
        while not self.done:
            with contextlib.suppress(ClientError, BotoCoreError):  # it is starting as well
                self.done = await asyncio.to_thread(self._subscribe)
            if not self.done:
                await asyncio.sleep(PAUSE_S)
        await self._reader.run()

    def _subscribe(self) -> bool:
        queue = self._reader.arn()
        topics = [self._sns.create_topic(Name=name)["TopicArn"] for name in self._settings.topics]
        for alarm in read_alarms(BILLING, {topic.rpartition(":")[2]: topic for topic in topics}):
            self._cloudwatch.put_metric_alarm(**alarm)
        for topic in topics:
            ends = {"http": self._receiver_url, "sqs": queue, "lambda": self._function_arn}
            if topic.endswith(f":{dead_man.TOPIC}"):
                ends = {"http": self._receiver_url}
            for protocol, endpoint in ends.items():
                self._sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint)
        return all(self._is_confirmed(topic) for topic in topics)

    def _is_confirmed(self, topic: str) -> bool:
        found = self._sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        return all(one["SubscriptionArn"] != "PendingConfirmation" for one in found)
