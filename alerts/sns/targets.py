"""How a delivery is made to one endpoint: HTTP, an SQS queue, a Lambda function. Says whether it may be tried again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from alerts.sns.envelope import Envelopes, http_headers, sqs_attributes
from alerts.sns.model import Message, Protocol, Subscription, Topic

ANSWER_DEADLINE_S = 15.0
THREADS = 8
GONE = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "ResourceNotFoundException"})


class Outcome(StrEnum):
    DELIVERED = "delivered"
    FAILED = "failed"  # worth another try
    REFUSED = "refused"  # will be refused again


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where SQS and Lambda answer, with the credentials for them; `deadline_s` bounds every single try."""

    sqs_url: str
    lambda_url: str
    region: str
    access_key: str
    secret_key: str
    deadline_s: float = ANSWER_DEADLINE_S


class Targets:
    """Delivers. Owns its connections and a few threads, for boto3 blocks."""

    def __init__(self, endpoints: Endpoints, envelopes: Envelopes) -> None:
        self._endpoints, self._envelopes = endpoints, envelopes
        self._clients: dict[tuple[str, str], Any] = {}
        self._threads = ThreadPoolExecutor(THREADS, "deliver")
        self._http = httpx.AsyncClient(timeout=endpoints.deadline_s, follow_redirects=False, trust_env=False)

    async def __aenter__(self) -> Self:
        """With the clients made: the first page is not to wait the second that it takes."""
        for service in ("sqs", "lambda"):
            self._client(service, self._endpoints.region)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def deliver(self, message: Message, subscription: Subscription, topic: Topic) -> Outcome:
        if subscription.protocol.is_http:
            return await self._to_http(message, subscription, topic)
        if subscription.protocol is Protocol.SQS:
            return await self._blocking(lambda: self._to_queue(message, subscription, subscription.endpoint))
        if subscription.protocol is Protocol.LAMBDA:
            return await self._blocking(lambda: self._to_function(message, subscription))
        return Outcome.DELIVERED  # e-mail and telephones end here: the lab has none

    async def bury(self, message: Message, subscription: Subscription) -> Outcome:
        """Put it into the subscription's dead-letter queue, which has to be there."""
        queue = subscription.dead_letter_arn
        assert queue is not None
        return await self._blocking(lambda: self._to_queue(message, subscription, queue))

    async def _to_http(self, message: Message, subscription: Subscription, topic: Topic) -> Outcome:
        text = self._envelopes.text(message, subscription)
        headers = http_headers(message, subscription, topic)
        try:
            answer = await self._http.post(subscription.endpoint, content=text.encode(), headers=headers)
        except httpx.HTTPError:
            return Outcome.FAILED
        if answer.is_success:
            return Outcome.DELIVERED
        return Outcome.FAILED if answer.status_code >= 500 or answer.status_code in (408, 429) else Outcome.REFUSED

    async def _blocking(self, call: Callable[[], None]) -> Outcome:
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except ClientError as error:
            return Outcome.REFUSED if error.response["Error"]["Code"] in GONE else Outcome.FAILED
        except BotoCoreError:
            return Outcome.FAILED
        return Outcome.DELIVERED

    def _to_queue(self, message: Message, subscription: Subscription, queue_arn: str) -> None:
        region, account, name = queue_arn.split(":")[3:6]
        fifo = name.endswith(".fifo")
        sent: dict[str, Any] = {"MessageBody": self._envelopes.text(message, subscription)}
        if subscription.is_raw and message.attributes:
            sent["MessageAttributes"] = sqs_attributes(message.attributes)
        if message.group_id and (fifo or not message.sequence_number):
            sent["MessageGroupId"] = message.group_id
        if fifo:
            sent["MessageDeduplicationId"] = message.deduplication_id or message.id
        url = f"{self._endpoints.sqs_url}/{account}/{name}"
        self._client("sqs", region).send_message(QueueUrl=url, **sent)

    def _to_function(self, message: Message, subscription: Subscription) -> None:
        self._invoke(subscription.endpoint, self._envelopes.lambda_event(message, subscription))

    def _invoke(self, function_arn: str, event: Any) -> None:
        self._client("lambda", function_arn.split(":")[3]).invoke(
            FunctionName=function_arn, InvocationType="Event", Payload=json.dumps(event).encode()
        )

    async def invoke(self, function_arn: str, event: Any) -> Outcome:
        """Hand an event to a function, outside of any subscription."""
        return await self._blocking(lambda: self._invoke(function_arn, event))

    def _client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            url = self._endpoints.sqs_url if service == "sqs" else self._endpoints.lambda_url
            self._clients[service, region] = client(
                service, url, region, self._endpoints.access_key, self._endpoints.secret_key, self._endpoints.deadline_s
            )
        return self._clients[service, region]


def client(service: str, url: str, region: str, access_key: str, secret_key: str, deadline_s: float) -> Any:
    """A boto3 client that tries once and follows no configuration of this machine."""
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=deadline_s,
        read_timeout=deadline_s,
        max_pool_connections=THREADS,
        proxies={},
    )
    return boto3.session.Session().client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=config,
    )
