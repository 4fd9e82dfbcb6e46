"""The SQS subscriber: long polls its queue, keeps what it got, takes it out. A queue that is gone is made again."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from alerts.subscribers.inbox import Channel, Inbox

WAIT_S, PAUSE_S = 1, 0.5
BATCH = 10


class QueueReader:
    """`sqs`: a boto3 client; it blocks, so it is called in a thread."""

    def __init__(self, inbox: Inbox, sqs: Any, queue: str) -> None:
        self._inbox, self._sqs, self._queue = inbox, sqs, queue

    def arn(self) -> str:
        """Of the queue, made where it is not there."""
        asked = {"QueueUrl": self._url(), "AttributeNames": ["QueueArn"]}
        return str(self._sqs.get_queue_attributes(**asked)["Attributes"]["QueueArn"])

    def _url(self) -> str:
        return str(self._sqs.create_queue(QueueName=self._queue)["QueueUrl"])

    async def run(self) -> None:
        """Until cancelled."""
        url = ""
        while True:
            try:
                url = url or await asyncio.to_thread(self._url)
                for message in await asyncio.to_thread(self._receive, url):
                    self._inbox.put(Channel.SQS, document_of(message["Body"]))
            except (ClientError, BotoCoreError):
                url = ""
                await asyncio.sleep(PAUSE_S)

    def _receive(self, url: str) -> list[Any]:
        answer = self._sqs.receive_message(QueueUrl=url, WaitTimeSeconds=WAIT_S, MaxNumberOfMessages=BATCH)
        messages: list[Any] = answer.get("Messages", [])
        if messages:
            entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
            self._sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        return messages


def document_of(body: str) -> dict[str, Any]:
    """SNS's document; what is none came raw."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    return document if isinstance(document, dict) and "MessageId" in document else {"Message": body}
