"""The HTTP edge of the front: one address for SNS and CloudWatch, and for SQS and Lambda that answer behind it.

A request's service stands in its signature. SNS and CloudWatch are checked and answered here; the other two are handed
on as they are, so that one endpoint serves every client.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.aws.errors import AwsError
from alerts.aws.sigv4 import HttpRequest, check_signature, claimed
from alerts.aws.wire import Answer, Wire
from alerts.aws.wire import Protocol as WireProtocol
from alerts.sns.actions import UNSIGNED
from alerts.sns.model import Caller
from alerts.sns.signing import Signer
from target_system.telemetry import Telemetry

BODY_BYTES_MAX = 1_048_576
NOT_HANDED_ON = frozenset({"content-length", "transfer-encoding", "connection", "content-encoding"})
SERVICES = {"sns": "sns", "monitoring": "cloudwatch"}


class Api(Protocol):
    def do(self, operation: str, caller: Caller, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Raises AwsError."""


@dataclass(frozen=True, slots=True)
class Identity:
    account: str
    user: str
    secrets: Mapping[str, str]  # access key → secret key

    def caller(self, region: str, signed: bool) -> Caller:
        return Caller(self.account, region, f"arn:aws:iam::{self.account}:user/{self.user}", signed)


class Front:
    """`apis`: by signing name, sns and monitoring. `behind`: signing name → URL of who answers it."""

    def __init__(
        self,
        apis: Mapping[str, Api],
        behind: Mapping[str, str],
        identity: Identity,
        signer: Signer,
        telemetry: Telemetry,
    ) -> None:
        self._apis, self._behind, self._identity, self._signer = apis, behind, identity, signer
        self._telemetry = telemetry
        self._wires = {name: Wire(SERVICES[name]) for name in apis}
        self._http = httpx.AsyncClient(timeout=30.0, trust_env=False)

    def app(self) -> Starlette:
        routes = [
            Route("/healthz", lambda _: Response(b"ok\n")),
            Route("/metrics", self._metrics),
            Route(self._signer.path, lambda _: Response(self._signer.certificate, media_type="application/x-pem-file")),
            Route("/{path:path}", self._serve, methods=["GET", "POST", "PUT", "DELETE"]),
        ]
        return Starlette(routes=routes)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _metrics(self, _: Request) -> Response:
        metrics = self._telemetry.metrics
        return Response(metrics.exposition(), media_type=metrics.content_type)

    async def _serve(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > BODY_BYTES_MAX:
            return Response(status_code=413)
        if not body and not request.url.query and "authorization" not in request.headers:
            return Response("speak to it as to AWS\n", 400)  # whoever looks whether somebody is here
        asked = HttpRequest(request.method, str(request.url), dict(request.headers), body)
        who = claimed(asked)
        service = who.service if who else "sns"
        if service in self._behind:
            return await self._hand_on(request, body, self._behind[service])
        if service not in self._apis:
            return Response(f"{service} is not answered here\n", status_code=404)
        answer = self._answer(service, asked, request)
        return Response(answer.body, answer.status, dict(answer.headers))

    def _answer(self, service: str, asked: HttpRequest, request: Request) -> Answer:
        wire, request_id = self._wires[service], str(uuid.uuid4())
        target = request.headers.get("x-amz-target")
        protocol = WireProtocol.JSON if target else WireProtocol.QUERY
        operation, code = "unknown", "ok"
        try:
            read = wire.read(target, request.url.query, asked.body)
            operation = read.operation
            result = self._apis[service].do(operation, self._caller(asked, operation, read.parameters), read.parameters)
            return wire.answer(read, result, request_id)
        except AwsError as error:
            code = error.code
            self._telemetry.log.warning("refused", operation=operation, code=code, said=error.message)
            return wire.refusal(error, protocol, request_id)
        finally:
            self._telemetry.metrics.get("sns_requests_total", operation, "ok" if code == "ok" else "refused").inc()

    def _caller(self, asked: HttpRequest, operation: str, parameters: Mapping[str, Any]) -> Caller:
        """Who signed; for what a link may ask for, nobody, in the region of the ARN."""
        if operation in UNSIGNED and "authorization" not in asked.headers:
            arn = parameters.get("TopicArn") or parameters.get("SubscriptionArn") or ""
            return self._identity.caller((arn.split(":") + [""] * 4)[3], signed=False)
        return self._identity.caller(check_signature(asked, self._identity.secrets).region, signed=True)

    async def _hand_on(self, request: Request, body: bytes, url: str) -> Response:
        headers = {k: v for k, v in request.headers.items() if k not in NOT_HANDED_ON}
        query = f"?{request.url.query}" if request.url.query else ""
        try:
            answer = await self._http.request(
                request.method, f"{url.rstrip('/')}{request.url.path}{query}", content=body, headers=headers
            )
        except httpx.HTTPError as error:
            return Response(f"who answers behind is away: {error!r}\n", status_code=503)
        kept = {k: v for k, v in answer.headers.items() if k not in NOT_HANDED_ON}
        return Response(answer.content, answer.status_code, kept)
