"""A part that dies as often as it is started: a bad release, a configuration it cannot read."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from deploy.cluster import Cluster, ClusterError
from deploy.faults.fault import Fault
from deploy.faults.meanwhile import meanwhile

LOOK_EVERY_S = 0.2


class CrashLoop(Fault):
    """SIGKILL to a part and all its children, and again soon after each start."""

    kind: Literal["crash_loop"] = "crash_loop"
    part: str

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        def kill(ended: threading.Event) -> None:
            with contextlib.suppress(ClusterError):  # it is not there in this moment
                cluster.signal(self.part, signal.SIGKILL, whole=True)
            ended.wait(LOOK_EVERY_S)

        with meanwhile(kill):
            yield
