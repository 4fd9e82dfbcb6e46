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

LOOK_EVERY_S = 0.2
END_DEADLINE_S = 30.0


class CrashLoop(Fault):
    """SIGKILL to a part and all its children, and again soon after each start."""

    kind: Literal["crash_loop"] = "crash_loop"
    part: str

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        ended = threading.Event()

        def kill() -> None:
            while not ended.is_set():
                with contextlib.suppress(ClusterError):  # it is not there in this moment
                    cluster.signal(self.part, signal.SIGKILL, whole=True)
                ended.wait(LOOK_EVERY_S)

        killing = threading.Thread(target=kill)
        killing.start()
        try:
            yield
        finally:
            ended.set()
            killing.join(END_DEADLINE_S)
