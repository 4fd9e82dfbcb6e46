"""Stand-ins for Slack's and PagerDuty's receiving ends: they take what the published schema takes, no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from alerts.subscribers.inbox import Channel, Inbox

SCHEMAS = Path(__file__).parent / "schemas"
SLACK_PATH, PAGERDUTY_PATH = "/services/lab", "/v2/enqueue"


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.json").read_text())


class Webhooks:
    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._slack = jsonschema_rs.validator_for(schema("slack"))
        self._pagerduty = jsonschema_rs.validator_for(schema("pagerduty"))

    def routes(self) -> list[Route]:
        return [
            Route(SLACK_PATH, self._take_slack, methods=["POST"]),
            Route(PAGERDUTY_PATH, self._take_pagerduty, methods=["POST"]),
        ]

    async def _take_slack(self, request: Request) -> Response:
        said = self._checked(Channel.SLACK, self._slack, await request.body())
        return PlainTextResponse("ok") if said is None else PlainTextResponse(f"invalid_payload: {said}", 400)

    async def _take_pagerduty(self, request: Request) -> Response:
        said = self._checked(Channel.PAGERDUTY, self._pagerduty, await request.body())
        if said is None:
            return JSONResponse({"status": "success", "message": "Event processed"}, 202)
        return JSONResponse({"status": "invalid event", "message": "Event object is invalid", "errors": [said]}, 400)

    def _checked(self, channel: Channel, validator: Any, body: bytes) -> str | None:
        try:
            fault = next(iter(validator.iter_errors(json.loads(body))), None)
            said = None if fault is None else f"{'/'.join(map(str, fault.instance_path))}: {fault.message}"
        except ValueError as error:
            said = str(error)
        self._inbox.put(channel, {"Message": body.decode(errors="replace")}, said=said)
        return said
