"""A stream with a part missing: a consumer that was moved on by hand, entries that a full Redis threw away."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pydantic import PositiveFloat

from deploy.cluster import Cluster
from deploy.faults.fault import Fault
from deploy.faults.redis_client import redis_of
from deploy.topology import Topology
from target_system.history.consumer import GROUP
from target_system.trade_stream import STREAM


class SkippedTrades(Fault):
    """The history stands still for `stop_s`, and what came meanwhile is skipped. It finds the trades in the ledger."""

    kind: Literal["skipped_trades"] = "skipped_trades"
    stop_s: PositiveFloat = 1.5

    def misfit(self, topology: Topology) -> str | None:
        if topology.history.replicas and topology.market_data.replicas:
            return None
        return "no stream of trades runs in this topology; set history.replicas and market_data.replicas: 1"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        cluster.signal("history", signal.SIGSTOP, whole=True)
        try:
            time.sleep(self.stop_s)
            with redis_of(cluster) as client:
                client.xgroup_setid(STREAM, GROUP, "$")
        finally:
            cluster.signal("history", signal.SIGCONT, whole=True)
        yield
