"""One execution environment: AWS's own runtime client (awslambdaric) in a process, and the Runtime API it asks.

The process imports the handler once and takes one invocation at a time. It is ended when an invocation outlives its
timeout, and started again for the next; so it is after its own death.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alerts.functions.function import Ended, Function, Invocation

API = "/2018-06-01/runtime"
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")
"""A frozen function would outlive whoever started it."""
IMPORT_DEADLINE_S = 10.0
END_DEADLINE_S = 5.0


class QuietServer(uvicorn.Server):
    """Leaves the signals to the process that it is a part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Environment:
    """`arn`: what the handler sees as its own. `log`: where its output goes."""

    def __init__(self, function: Function, arn: str, log: BinaryIO) -> None:
        self.function, self._arn, self._log = function, arn, log
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: asyncio.Queue[Invocation | None] = asyncio.Queue(1)
        self._present: Invocation | None = None
        self._failed_start: Ended | None = None
        self._asked = asyncio.Event()
        self._socket = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio leaves Nagle on: 43 ms a message
        self.starts = 0

    async def __aenter__(self) -> Self:
        self._socket.bind(("127.0.0.1", 0))
        routes = [
            Route(f"{API}/invocation/next", self._next),
            Route(f"{API}/invocation/{{id}}/response", self._response, methods=["POST"]),
            Route(f"{API}/invocation/{{id}}/error", self._error, methods=["POST"]),
            Route(f"{API}/init/error", self._init_error, methods=["POST"]),
        ]
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, timeout_graceful_shutdown=1)
        self._server = QuietServer(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()
        if self._waiting.empty():
            self._waiting.put_nowait(None)  # for who asked and died
        self._server.should_exit = True
        await self._serving

    async def run(self, invocation: Invocation) -> Ended:
        """Until it has ended, one way or another; never more than the timeout and a start."""
        if not await self.prepare():
            return self._failed_start or Ended.failed("Runtime.ExitError", "the runtime ended while starting")
        assert self._process is not None
        self._present = invocation
        await self._waiting.put(invocation)
        death: asyncio.Future[Any] = asyncio.ensure_future(self._process.wait())
        firsts = {death, invocation.ended}
        try:
            await asyncio.wait(firsts, timeout=self.function.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            death.cancel()
        if invocation.ended.done():
            return invocation.ended.result()
        died = self._process.returncode is not None
        await self._end()
        if died:
            return Ended.failed("Runtime.ExitError", f"RequestId: {invocation.id} Error: Runtime exited unexpectedly")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        said = f"{now} {invocation.id} Task timed out after {self.function.timeout_s:.2f} seconds"
        return Ended.failed("Sandbox.Timedout", said)

    async def prepare(self) -> bool:
        """Start the process where there is none; whether it asks for work."""
        if self._process is not None and self._process.returncode is None:
            return True
        self._asked.clear()
        self._failed_start = None
        self._waiting = asyncio.Queue(1)
        self.starts += 1
        self._process = await asyncio.create_subprocess_exec(
            *ENDS_WITH_US, sys.executable, "-m", "awslambdaric", self.function.handler,
            stdout=self._log, stderr=self._log, cwd=self.function.task_root, env=self._variables(),
        )  # fmt: skip
        firsts: set[asyncio.Task[Any]] = {
            asyncio.create_task(self._asked.wait()),
            asyncio.create_task(self._process.wait()),
        }
        await asyncio.wait(firsts, timeout=IMPORT_DEADLINE_S, return_when=asyncio.FIRST_COMPLETED)
        for task in firsts:
            task.cancel()
        if self._asked.is_set() and self._failed_start is None:
            return True
        await self._end()
        return False

    def _variables(self) -> dict[str, str]:
        host, port = self._socket.getsockname()
        function = self.function
        return {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join((str(function.task_root), os.environ.get("PYTHONPATH", ""))),
            "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": str(self.starts),
            "AWS_REGION": self._arn.split(":")[3],
            "LAMBDA_TASK_ROOT": str(function.task_root),
            "_HANDLER": function.handler,
            **function.environment,
        }

    async def _end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await asyncio.wait_for(self._process.wait(), END_DEADLINE_S)
        self._present = None

    async def _next(self, _: Request) -> Response:
        self._asked.set()
        invocation = await self._waiting.get()
        if invocation is None:
            return Response(status_code=503)
        deadline_ms = time.time_ns() // 1_000_000 + round(self.function.timeout_s * 1000)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self._arn,
        }
        return Response(invocation.payload, media_type="application/json", headers=headers)

    async def _response(self, request: Request) -> Response:
        return self._settle(request, Ended(await request.body()))

    async def _error(self, request: Request) -> Response:
        return self._settle(request, Ended.reported(await request.body()))

    def _settle(self, request: Request, ended: Ended) -> Response:
        invocation = self._present
        if invocation is None or invocation.id != request.path_params["id"] or invocation.ended.done():
            return JSONResponse({"errorType": "InvalidRequestID", "errorMessage": "no such invocation"}, 400)
        invocation.ended.set_result(ended)
        return JSONResponse({"status": "OK"}, 202)

    async def _init_error(self, request: Request) -> Response:
        self._failed_start = Ended.reported(await request.body())
        self._asked.set()
        return JSONResponse({"status": "OK"}, 202)
