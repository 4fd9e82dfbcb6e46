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

BUSY = """
import sys, time
share = float(sys.argv[1])
while True:
    until_s = time.monotonic() + share / 100
    while time.monotonic() < until_s:
        pass
    time.sleep((1 - share) / 100)
"""
HOG = ("setpriv", "--pdeathsig", "KILL", sys.executable, "-c", BUSY)
"""It ends with whoever started it, whatever ends that."""


class CpuHog(Fault):
    """So many processes that each use a `share` of a core: beside the cluster, or a `part`'s own, of its quota."""

    kind: Literal["cpu_hog"] = "cpu_hog"
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    part: str | None = None

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        hogs: list[subprocess.Popen[bytes]] = []
        try:
            for _ in range(self.processes):
                hogs.append(subprocess.Popen((*HOG, str(self.share))))
                if self.part is None:
                    cluster.host(hogs[-1].pid)
                else:
                    cluster.join(self.part, hogs[-1].pid)
            yield
        finally:
            for hog in hogs:
                hog.kill()
            for hog in hogs:
                hog.wait()
