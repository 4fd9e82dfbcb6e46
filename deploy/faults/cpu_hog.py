"""Somebody else's work on the same machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from pydantic import Field

from deploy.cluster import Cluster
from deploy.faults.fault import Fault

HOG = ("setpriv", "--pdeathsig", "KILL", sys.executable, "-c", "while True: pass")
"""It ends with whoever started it, whatever ends that."""


class CpuHog(Fault):
    """So many processes beside the cluster that do nothing but use CPU."""

    kind: Literal["cpu_hog"] = "cpu_hog"
    processes: Annotated[int, Field(ge=1, le=64)] = 1

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:  # noqa: ARG002 - it strikes the machine
        hogs: list[subprocess.Popen[bytes]] = []
        try:
            for _ in range(self.processes):
                hogs.append(subprocess.Popen(HOG))  # noqa: PERF401 - one that was started must be ended if the next fails
            yield
        finally:
            for hog in hogs:
                hog.kill()
            for hog in hogs:
                hog.wait()
