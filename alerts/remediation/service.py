"""The narrow door through which the Lambda acts on a cluster: `POST /actions`. Every request leaves a line of audit.

One action at a time; the cluster is found anew each time, for it may have been started again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alerts.remediation.policy import CORES_MAX, Action, Guard, Verdict, Wanted, scaled, tightened
from deploy.cluster import Cluster, ClusterError

PATH = "/actions"
STATUSES = {
    Verdict.DO: 200,
    Verdict.DONE_ALREADY: 200,
    Verdict.NOT_ALLOWED: 403,
    Verdict.TOO_OFTEN: 429,
}

Do = Callable[[Wanted], None]
"""Carries an action out. Raises ClusterError."""


class Actions:
    def __init__(self, do: Do, audit: Path, guard: Guard | None = None) -> None:
        self._do, self._audit, self._guard = do, audit, guard or Guard()
        self._turn = asyncio.Lock()

    def routes(self) -> list[Route]:
        return [Route(PATH, self._take, methods=["POST"])]

    async def _take(self, request: Request) -> Response:
        try:
            wanted = Wanted(**json.loads(await request.body()))
        except (ValueError, TypeError) as error:
            said = f"give action, target, fingerprint and started_at as JSON: {error}"
            return JSONResponse({"outcome": "malformed", "said": said}, 400)
        async with self._turn:
            outcome, said, status = await self._judged(wanted)
        self._note(wanted, outcome, said)
        return JSONResponse({"outcome": outcome, "said": said}, status)

    async def _judged(self, wanted: Wanted) -> tuple[str, str, int]:
        verdict = self._guard.verdict(wanted, time.monotonic())
        if verdict is not Verdict.DO:
            return verdict.value, "", STATUSES[verdict]
        try:
            await asyncio.to_thread(self._do, wanted)
        except ClusterError as error:
            return "failed", str(error), 500
        self._guard.succeeded(wanted)
        return "done", "", 200

    def _note(self, wanted: Wanted, outcome: str, said: str) -> None:
        line: dict[str, Any] = {
            "ts": time.time_ns(), "action": wanted.action, "target": wanted.target, "fingerprint": wanted.fingerprint,
            "started_at": wanted.started_at, "outcome": outcome, "said": said,
        }  # fmt: skip
        with self._audit.open("a") as file:
            file.write(json.dumps(line) + "\n")


def on_cluster(directory: Path) -> Do:
    """Actions on the cluster that lives in this directory."""

    def do(wanted: Wanted) -> None:
        cluster = Cluster.attach(directory)
        if cluster is None:
            raise ClusterError(f"no cluster is running in {directory}; start one with lab up")
        if wanted.action == Action.RESTART:
            cluster.restart(wanted.target)
        elif wanted.action == Action.SCALE:
            scale(cluster, wanted.target)
        else:
            now_per_s = cluster.throttle_per_s
            cluster.set_throttle(tightened(now_per_s, cluster.topology.limits.total_per_s or now_per_s))

    return do


def scale(cluster: Cluster, part: str) -> None:
    """Raises ClusterError where the part has no quota, or as much as a machine may give it: a person has to look."""
    now_cores = {status.name: status.cpu_quota_cores for status in cluster.parts()}.get(part)
    if now_cores is None:
        raise ClusterError(f"{part} has no CPU quota that could be raised; look at lab status")
    if now_cores >= CORES_MAX:
        raise ClusterError(
            f"{part} has {now_cores:g} cores, a machine gives it no more than {CORES_MAX:g}; add another"
        )
    cluster.set_cpu_quota(part, scaled(now_cores))
