"""What scenarios share: clients, queues that are read until enough has come, an HTTP endpoint that keeps requests."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.alerts.stand import REGION, Stand

DEADLINE_S = 10.0
QUIET_S = 0.3
NAMES = itertools.count(1)


def unique(prefix: str) -> str:
    return f"{prefix}-{next(NAMES)}-{uuid.uuid4().hex[:6]}"


@dataclass
class Aws:
    stand: Stand
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, service: str, region: str = REGION) -> Any:
        if (service, region) not in self.clients:
            self.clients[service, region] = self.stand.client(service, region)
        return self.clients[service, region]

    @property
    def sns(self) -> Any:
        return self.client("sns")

    @property
    def sqs(self) -> Any:
        return self.client("sqs")

    @property
    def cloudwatch(self) -> Any:
        return self.client("cloudwatch")

    def topic(self, **attributes: str) -> str:
        fifo = attributes.get("FifoTopic") == "true"
        name = unique("topic") + (".fifo" if fifo else "")
        return str(self.sns.create_topic(Name=name, Attributes=attributes)["TopicArn"])

    def queue(self, **attributes: str) -> tuple[str, str]:
        """URL and ARN."""
        fifo = attributes.get("FifoQueue") == "true"
        url = self.sqs.create_queue(QueueName=unique("queue") + (".fifo" if fifo else ""), Attributes=attributes)
        return url["QueueUrl"], self.arn_of(url["QueueUrl"])

    def arn_of(self, queue_url: str) -> str:
        found = self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def subscribe(self, topic: str, queue_arn: str, **attributes: str) -> str:
        answer = self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes=attributes)
        return str(answer["SubscriptionArn"])

    def attributes_of(self, subscription: str) -> dict[str, Any]:
        return dict(self.sns.get_subscription_attributes(SubscriptionArn=subscription))

    def receive(self, url: str, count: int = 1, attributes: bool = False) -> dict[str, Any]:
        """That many messages, taken out of the queue, as one answer of ReceiveMessage."""
        messages: list[Any] = []
        deadline = time.monotonic() + DEADLINE_S
        names = {"MessageAttributeNames": ["All"]} | ({"AttributeNames": ["All"]} if attributes else {})
        answer: dict[str, Any] = {}
        while len(messages) < count:
            assert time.monotonic() < deadline, f"{len(messages)} of {count} messages came: {messages}"
            answer = self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10, **names)
            for message in answer.get("Messages", []):
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                messages.append(message)
        return {"Messages": messages, "ResponseMetadata": answer["ResponseMetadata"]}

    def nothing_in(self, url: str) -> dict[str, Any]:
        """The answer of a queue in which nothing arrives, once nothing is under way any more."""
        self.settle()
        return dict(self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0))

    def settle(self) -> None:
        """Until the front has delivered all that it accepted."""
        import urllib.request

        deadline = time.monotonic() + DEADLINE_S
        while True:
            with urllib.request.urlopen(f"{self.stand.url}/metrics", timeout=5) as answer:
                text = answer.read().decode()
            if "sns_deliveries_under_way 0.0" in text or "sns_deliveries_under_way" not in text:
                return
            assert time.monotonic() < deadline, "deliveries are still under way"
            time.sleep(0.02)


def until(get: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    deadline = time.monotonic() + deadline_s
    while not (found := get()):
        assert time.monotonic() < deadline, f"not within {deadline_s:g} s: {what}"
        time.sleep(0.02)
    return found


@dataclass
class Heard:
    headers: dict[str, str]
    body: str

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class Endpoint:
    url: str
    heard: list[Heard] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses for the next requests; then 200."""

    def wait(self, count: int) -> Heard:
        """The request with that number, from 1."""
        until(lambda: len(self.heard) >= count, f"{count} requests at {self.url}")
        return self.heard[count - 1]


@contextlib.contextmanager
def http_endpoint(path: str = "/sns-endpoint") -> Iterator[Endpoint]:
    endpoint = Endpoint("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status = endpoint.answers.pop(0) if endpoint.answers else 200
            endpoint.heard.append(Heard({name.title(): value for name, value in self.headers.items()}, body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}{path}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
