"""A part killed with all its processes, as by the kernel when memory runs out. The supervisor restarts it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from deploy.cluster import Cluster
from deploy.faults.fault import Fault


class Kill(Fault):
    """SIGKILL to a part and all its children. Nothing is left to revert: its restart is the recovery."""

    kind: Literal["kill"] = "kill"
    part: str

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        cluster.signal(self.part, signal.SIGKILL, whole=True)
        yield
