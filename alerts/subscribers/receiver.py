"""The HTTP subscriber: verifies what SNS posts, confirms its own subscriptions, keeps what it got, tells people.

It may be told to misbehave, for that is a fault worth a drill: to answer 500, or nothing at all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alerts.sns.signing import is_authentic
from alerts.subscribers import dead_man
from alerts.subscribers.dead_man import DeadMan
from alerts.subscribers.inbox import Channel, Inbox
from alerts.subscribers.notice import alerts_of

PATH = "/sns"
SILENCE_S = 3600.0


class Behaviour(StrEnum):
    WELL = "well"
    ERROR = "500"
    SILENT = "silent"


class Receiver:
    """`sns_url`: the only place from which certificates and confirmations are taken. `relay` gets each new message."""

    def __init__(
        self,
        inbox: Inbox,
        sns_url: str,
        http: httpx.AsyncClient,
        relay: Callable[[dict[str, Any]], Awaitable[None]],
        dead_man: DeadMan,
    ) -> None:
        self._inbox, self._sns_url, self._http, self._relay = inbox, sns_url.rstrip("/"), http, relay
        self._dead_man = dead_man
        self._certificates: dict[str, bytes] = {}
        self.behaviour = Behaviour.WELL

    def routes(self) -> list[Route]:
        return [
            Route(PATH, self._take, methods=["POST"]),
            Route("/behaviour", self._behave, methods=["PUT"]),
        ]

    async def _behave(self, request: Request) -> Response:
        text = (await request.body()).decode()
        if text not in set(Behaviour):
            return JSONResponse({"error": f"{text} is no behaviour; use one of {', '.join(Behaviour)}"}, 400)
        self.behaviour = Behaviour(text)
        return JSONResponse({"behaviour": text})

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        if self.behaviour is Behaviour.SILENT:
            await asyncio.sleep(SILENCE_S)
        if self.behaviour is Behaviour.ERROR:
            return Response(status_code=500)
        try:
            document = json.loads(body)
        except ValueError:
            return Response("no JSON; raw delivery is not for this receiver\n", 400)
        verified = await self._verified(document)
        if not verified:
            self._inbox.put(Channel.HTTP, document, verified=False, said="the signature is not SNS's")
            return Response("the signature is not SNS's\n", 403)
        if document["Type"] == "SubscriptionConfirmation":
            await self._confirm(document["SubscribeURL"])
        elif document["TopicArn"].endswith(f":{dead_man.TOPIC}"):  # one a second, and only the newest matters
            self._dead_man.heard(alerts_of(document["Message"]))
        elif document["Type"] == "Notification":
            self._inbox.put(Channel.HTTP, document, verified=True)
            await self._relay(document)
        return Response(status_code=200)

    async def _verified(self, document: dict[str, Any]) -> bool:
        url = str(document.get("SigningCertURL", ""))
        if not url.startswith(f"{self._sns_url}/"):
            return False
        if url not in self._certificates:
            answer = await self._http.get(url)
            if not answer.is_success:
                return False
            self._certificates[url] = answer.content
        return is_authentic(document, self._certificates[url])

    async def _confirm(self, url: str) -> None:
        if url.startswith(f"{self._sns_url}/"):
            (await self._http.get(url)).raise_for_status()
