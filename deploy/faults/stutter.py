"""A part that stops for a moment again and again: a garbage collector, a hypervisor that gives the core to others."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pydantic import PositiveInt

from deploy.cluster import Cluster, ClusterError
from deploy.faults.fault import Fault
from deploy.faults.meanwhile import meanwhile


class Stutter(Fault):
    """A part stands still for `stop_ms`, runs for `run_ms`, and so on."""

    kind: Literal["stutter"] = "stutter"
    part: str
    stop_ms: PositiveInt = 200
    run_ms: PositiveInt = 300

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        def stutter(ended: threading.Event) -> None:
            with contextlib.suppress(ClusterError):  # it is being restarted
                cluster.signal(self.part, signal.SIGSTOP, whole=True)
            ended.wait(self.stop_ms / 1000)
            with contextlib.suppress(ClusterError):
                cluster.signal(self.part, signal.SIGCONT, whole=True)
            ended.wait(self.run_ms / 1000)

        with meanwhile(stutter):
            yield
