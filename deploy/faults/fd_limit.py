"""A part that may open fewer files and connections than it needs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import psutil
from pydantic import Field

from deploy.cluster import Cluster
from deploy.faults.fault import Fault, pid_of


class FdLimit(Fault):
    """RLIMIT_NOFILE of a part's first process; what is open stays open. 0 leaves none to be opened."""

    kind: Literal["fd_limit"] = "fd_limit"
    part: str
    descriptors: Annotated[int, Field(ge=0, le=1_000_000)]

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        process = psutil.Process(pid_of(cluster, self.part))
        before = process.rlimit(psutil.RLIMIT_NOFILE)
        process.rlimit(psutil.RLIMIT_NOFILE, (self.descriptors, before[1]))
        try:
            yield
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):  # it died of it; the next one has its own limit
                process.rlimit(psutil.RLIMIT_NOFILE, before)
