"""A part that stands still and holds what it holds: a stopped machine, a long collection of garbage."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from deploy.cluster import Cluster, ClusterError
from deploy.faults.fault import Fault


class Freeze(Fault):
    """SIGSTOP to a part and all its children; SIGCONT afterwards."""

    kind: Literal["freeze"] = "freeze"
    part: str

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        cluster.signal(self.part, signal.SIGSTOP, whole=True)
        try:
            yield
        finally:
            with contextlib.suppress(ClusterError):  # it was killed meanwhile: nothing is frozen any more
                cluster.signal(self.part, signal.SIGCONT, whole=True)
