"""The part of AWS Lambda's API that SNS and a client of the lab ask: invoking, and what a function is configured as.

An event (asynchronous invocation) is accepted into a bounded queue. Failed, it is tried twice more, after one and two
minutes; failed thrice, it goes to the function's dead-letter topic or queue, as Lambda does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alerts.functions.environment import Environment
from alerts.functions.function import Ended, Function, Invocation

EVENTS_MAX = 1_000
RETRY_PAUSES_S = (60.0, 120.0)

Watch = Callable[[Function, Invocation, Ended], None]
Bury = Callable[[Function, Invocation, Ended], Awaitable[None]]


class Hosted:
    """A function with its environment and its queue of events."""

    def __init__(self, function: Function, environment: Environment) -> None:
        self.function, self.environment = function, environment
        self.events: asyncio.Queue[Invocation] = asyncio.Queue(EVENTS_MAX)
        self.turn = asyncio.Lock()
        """One at a time: a reserved concurrency of one, so that two remediations never cross."""


class Functions:
    """`watch` is told of every try; `bury` takes what failed for good. `time_scale` divides the pauses."""

    def __init__(
        self,
        functions: list[Function],
        account: str,
        region: str,
        logs: Path,
        watch: Watch,
        bury: Bury,
        time_scale: float,
    ) -> None:
        self._functions, self._account, self._region, self._logs = functions, account, region, logs
        self._watch, self._bury, self._time_scale = watch, bury, time_scale
        self._hosted: dict[str, Hosted] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for function in self._functions:
            log = self._stack.enter_context((self._logs / f"{function.name}.log").open("ab"))
            environment = Environment(function, self._arn(function.name), log)
            await self._stack.enter_async_context(environment)
            hosted = self._hosted[function.name] = Hosted(function, environment)
            self._workers.append(asyncio.create_task(self._work(hosted)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._stack.aclose()

    def routes(self) -> list[Route]:
        base = "/2015-03-31/functions/{name}"
        return [
            Route(f"{base}/invocations", self._invoke, methods=["POST"]),
            Route(f"{base}/configuration", self._configuration),
        ]

    @property
    def events_waiting(self) -> int:
        return sum(hosted.events.qsize() for hosted in self._hosted.values())

    def _arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self._region}:{self._account}:function:{name}"

    def _named(self, request: Request) -> Hosted | None:
        """By name or by ARN."""
        parts = unquote(request.path_params["name"]).split(":")
        return self._hosted.get(parts[6] if len(parts) > 6 else parts[0])

    async def _invoke(self, request: Request) -> Response:
        hosted = self._named(request)
        if hosted is None:
            return not_there(unquote(request.path_params["name"]))
        invocation = Invocation(await request.body() or b"{}")
        headers = {"x-amzn-RequestId": invocation.id, "X-Amz-Executed-Version": "$LATEST"}
        kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
        if kind == "DryRun":
            return Response(status_code=204, headers=headers)
        if kind == "Event":
            try:
                hosted.events.put_nowait(invocation)
            except asyncio.QueueFull:
                return refused("TooManyRequestsException", "Rate Exceeded.", 429)
            return Response(status_code=202, headers=headers)
        ended = await self._run(hosted, invocation)
        failed = {"X-Amz-Function-Error": "Unhandled"} if ended.error is not None else {}
        return Response(ended.payload, 200, headers | failed, media_type="application/json")

    async def _configuration(self, request: Request) -> Response:
        hosted = self._named(request)
        if hosted is None:
            return not_there(unquote(request.path_params["name"]))
        function = hosted.function
        document: dict[str, Any] = {
            "FunctionName": function.name,
            "FunctionArn": self._arn(function.name),
            "Handler": function.handler,
            "Runtime": "python3.11",
            "Timeout": round(function.timeout_s),
            "State": "Active",
            "Version": "$LATEST",
        }
        if function.dead_letter_arn:
            document["DeadLetterConfig"] = {"TargetArn": function.dead_letter_arn}
        return JSONResponse(document)

    async def _run(self, hosted: Hosted, invocation: Invocation) -> Ended:
        async with hosted.turn:
            invocation.tries += 1
            invocation.ended = asyncio.get_running_loop().create_future()
            ended = await hosted.environment.run(invocation)
        self._watch(hosted.function, invocation, ended)
        return ended

    async def _work(self, hosted: Hosted) -> None:
        async with hosted.turn:
            await hosted.environment.prepare()
        async with asyncio.TaskGroup() as retries:
            while True:
                event = await hosted.events.get()
                ended = await self._run(hosted, event)
                if ended.error is not None:
                    retries.create_task(self._again_or_bury(hosted, event, ended))

    async def _again_or_bury(self, hosted: Hosted, event: Invocation, ended: Ended) -> None:
        if event.tries <= len(RETRY_PAUSES_S):
            await asyncio.sleep(RETRY_PAUSES_S[event.tries - 1] / self._time_scale)
            await hosted.events.put(event)
        else:
            await self._bury(hosted.function, event, ended)


def not_there(name: str) -> Response:
    return refused("ResourceNotFoundException", f"Function not found: {name}", 404)


def refused(kind: str, message: str, status: int) -> Response:
    document = json.dumps({"Type": "User", "Message": message}).encode()
    return Response(document, status, {"x-amzn-ErrorType": kind}, media_type="application/json")
