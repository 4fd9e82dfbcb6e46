"""`python -m alerts.subscribers`: everybody who listens to the alert topics, in one process with one clock.

An HTTP receiver, an SQS reader, the remediation Lambda on the real runtime, stand-ins for Slack and PagerDuty, and
`GET /receipts?after=N`: what each channel got, when, in what order. Settings: SUBSCRIBERS_* (settings.py).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from alerts.functions.function import Ended, Function, Invocation, read_functions
from alerts.functions.service import Functions
from alerts.remediation.handler import RemediationFailed
from alerts.remediation.service import PATH as ACTIONS_PATH
from alerts.remediation.service import Actions, on_cluster
from alerts.sns.targets import client
from alerts.subscribers.dead_man import DeadMan
from alerts.subscribers.inbox import Channel, Inbox, Receipt
from alerts.subscribers.people import People
from alerts.subscribers.queue_reader import QueueReader
from alerts.subscribers.receiver import PATH, Receiver
from alerts.subscribers.settings import SubscribersSettings
from alerts.subscribers.subscribing import Subscribing
from alerts.subscribers.webhooks import PAGERDUTY_PATH, SLACK_PATH, Webhooks
from deploy.console import CLUSTER_DIRECTORY, ROOT
from target_system.settings import read_settings
from target_system.telemetry import Telemetry

REMEDIATION = "remediation"
SAID_BY_ITSELF = RemediationFailed.__name__
CALL_DEADLINE_S = 5.0
LOOK_EVERY_S = 0.2
STOP_DEADLINE_S = 1


class Subscribers:
    """Puts the parts together; each is in its own module."""

    def __init__(self, settings: SubscribersSettings, telemetry: Telemetry) -> None:
        self._settings, self._telemetry = settings, telemetry
        self._url = f"http://{settings.host}:{settings.port}"
        self._sns_url = str(settings.sns_url).rstrip("/")
        self._http = httpx.AsyncClient(timeout=CALL_DEADLINE_S, trust_env=False)
        self.inbox = Inbox(self._count)
        slack_url = str(settings.slack_url or f"{self._url}{SLACK_PATH}")
        self._pagerduty_url = str(settings.pagerduty_url or f"{self._url}{PAGERDUTY_PATH}")
        self._people = People(self._http, slack_url, self._pagerduty_url, settings.routing_key, telemetry)
        self._dead_man = DeadMan(self._people.page)
        self._receiver = Receiver(self.inbox, self._sns_url, self._http, self._relay, self._dead_man)
        audit = settings.log_directory / "remediation_audit.jsonl"
        self._actions = Actions(on_cluster(settings.cluster_directory or CLUSTER_DIRECTORY), audit)
        self._functions = Functions(
            self._configured(), settings.account, settings.region, settings.log_directory, self._saw_invocation,
            self._bury, settings.time_scale,
        )  # fmt: skip
        self._sns, sqs = self._client("sns"), self._client("sqs")
        self._reader = QueueReader(self.inbox, sqs, settings.queue)
        self._subscribing = Subscribing(
            self._sns, self._client("cloudwatch"), self._reader, f"{self._url}{PATH}", self._function_arn(REMEDIATION),
            settings,
        )  # fmt: skip

    async def _relay(self, document: dict[str, Any]) -> None:
        await self._people.tell(document, self._dead_man.is_dead)

    async def _watch(self) -> None:
        """Until cancelled."""
        while True:
            self._dead_man.look()
            self._people.look(self._dead_man.is_dead)
            await asyncio.sleep(LOOK_EVERY_S)

    def _client(self, service: str) -> Any:
        key, secret = next(iter(json.loads(self._settings.credentials_file.read_text()).items()))
        return client(service, self._sns_url, self._settings.region, key, secret, CALL_DEADLINE_S)

    def _function_arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self._settings.region}:{self._settings.account}:function:{name}"

    def _configured(self) -> list[Function]:
        settings = self._settings
        remediation = Function(
            name=REMEDIATION,
            handler="alerts.remediation.handler.handler",
            task_root=ROOT,
            timeout_s=settings.remediation_timeout_s,
            environment={
                "LAB_ACTIONS_URL": f"{self._url}{ACTIONS_PATH}",
                "SECOND_CHANNEL_URL": self._pagerduty_url,
                "ROUTING_KEY": settings.routing_key,
            },
        )
        return [remediation, *(read_functions(settings.functions_file) if settings.functions_file else [])]

    def _count(self, receipt: Receipt) -> None:
        self._telemetry.metrics.get("subscribers_receipts_total", receipt.channel.value).inc()
        self._telemetry.metrics.get("subscribers_receipts_kept").set(len(self.inbox))

    def _saw_invocation(self, function: Function, invocation: Invocation, ended: Ended) -> None:
        for document in documents_of(invocation.payload):
            self.inbox.put(Channel.LAMBDA, document, said=ended.error)
        if ended.error is None or function.name != REMEDIATION:
            return
        self._telemetry.metrics.get("subscribers_remediations_failed_total").inc()
        if ended.kind != SAID_BY_ITSELF:
            self._people.page_failed_remediation(invocation.id, ended.error)

    async def _bury(self, function: Function, invocation: Invocation, ended: Ended) -> None:
        if function.dead_letter_arn is None:
            return
        attributes = {
            "RequestID": {"DataType": "String", "StringValue": invocation.id},
            "ErrorCode": {"DataType": "Number", "StringValue": "200"},
            "ErrorMessage": {"DataType": "String", "StringValue": (ended.error or "")[:1_024]},
        }
        await asyncio.to_thread(
            self._sns.publish,
            TopicArn=function.dead_letter_arn,
            Message=invocation.payload.decode(),
            MessageAttributes=attributes,
        )

    def app(self) -> Starlette:
        own: list[BaseRoute] = [
            Route("/readyz", self._ready),
            Route("/metrics", self._metrics),
            Route("/receipts", self._receipts),
        ]
        parts = (self._receiver, self._actions, self._functions, Webhooks(self.inbox))
        own.append(Mount("/docs", StaticFiles(directory=ROOT / "docs")))  # what an alert's runbook_url names
        return Starlette(routes=[*own, *(route for part in parts for route in part.routes())])

    async def _ready(self, _: Request) -> Response:
        return Response(
            "ready\n" if self._subscribing.done else "subscribing\n", 200 if self._subscribing.done else 503
        )

    async def _metrics(self, _: Request) -> Response:
        metrics = self._telemetry.metrics
        metrics.get("subscribers_events_waiting").set(self._functions.events_waiting)
        metrics.get("subscribers_ends_kept").set(self._people.ends_kept)
        metrics.get("subscribers_dead_man_armed").set(self._dead_man.is_armed)
        return Response(metrics.exposition(), media_type=metrics.content_type)

    async def _receipts(self, request: Request) -> Response:
        text = request.query_params.get("after", "0")
        if not text.isdigit():
            return JSONResponse({"error": f"after is {text!r}; give the order of the last receipt you have"}, 400)
        return JSONResponse([asdict(receipt) for receipt in self.inbox.after(int(text))])

    async def serve(self) -> None:
        settings = self._settings
        config = uvicorn.Config(
            self.app(), host=settings.host, port=settings.port, log_config=None, access_log=False,
            timeout_graceful_shutdown=STOP_DEADLINE_S,
        )  # fmt: skip
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._http)
            await stack.enter_async_context(self._functions)
            works = (self._people.run(), self._subscribing.run(), self._watch())
            workers = [asyncio.create_task(work) for work in works]
            await uvicorn.Server(config).serve()
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)


def documents_of(payload: bytes) -> Iterator[dict[str, Any]]:
    """SNS's documents in a Lambda event; the event itself where it holds none."""
    try:
        event = json.loads(payload)
    except ValueError:
        event = None
    records = event.get("Records") if isinstance(event, dict) else None
    if isinstance(records, list):
        yield from (record["Sns"] for record in records if "Sns" in record)
    else:
        yield {"Message": payload.decode(errors="replace")}


def main() -> None:
    settings = read_settings(SubscribersSettings)
    telemetry = Telemetry("subscribers", settings.name)
    asyncio.run(Subscribers(settings, telemetry).serve())
    telemetry.close()


if __name__ == "__main__":
    main()
