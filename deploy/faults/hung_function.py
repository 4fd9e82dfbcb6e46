"""A Lambda that takes its event and never answers: a call without a deadline, a lock of its own."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import psutil

from deploy.cluster import Cluster
from deploy.faults.fault import Fault, FaultError, pid_of
from deploy.topology import Topology

RUNTIME = "awslambdaric"


class HungFunction(Fault):
    """SIGSTOP to the process that runs the remediation; what it is asked meanwhile times out. SIGCONT afterwards."""

    kind: Literal["hung_function"] = "hung_function"

    def misfit(self, topology: Topology) -> str | None:
        return None if topology.observability.sns else "no Lambda runs in this topology; set observability.sns: true"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        children = psutil.Process(pid_of(cluster, "subscribers")).children()
        functions = [child for child in children if RUNTIME in child.cmdline()]
        if not functions:
            raise FaultError("the remediation does not run in this moment; try again in a second")
        for function in functions:
            function.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for function in functions:
                with contextlib.suppress(psutil.NoSuchProcess):  # it was ended for its timeout
                    function.send_signal(signal.SIGCONT)
