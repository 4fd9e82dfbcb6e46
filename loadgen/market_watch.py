"""Those who watch the market beside a load, as the lab sees them: a process of its own that ends with the window."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt

from deploy.cluster import Cluster
from loadgen.campaign import PlannedWindow
from loadgen.child import Child
from loadgen.generator import GeneratorError
from loadgen.latency import ages
from loadgen.market_client import Failed, Ready, Said, Watch, Watched, decode_said, encode
from loadgen.record import Invalidity
from loadgen.validity import GENERATOR_CPU_SHARE_MAX
from loadgen.wire import Endpoint

READY_DEADLINE_S = 30.0
END_DEADLINE_S = 15.0
ENDPOINTS = {"stream": Endpoint.STREAM, "poll": Endpoint.BOOK}


@dataclass(frozen=True, slots=True)
class Seen:
    """`known_ns`: (when a client knew of a trade, the trade's age), one row a client and trade."""

    kind: str
    known_ns: npt.NDArray[np.int64]
    cpu_share: float

    def rows(self, window: str, measured_from_ns: int) -> list[dict[str, Any]]:
        """As in `latency.parquet`."""
        return ages(window, measured_from_ns, ENDPOINTS[self.kind], self.known_ns)

    def invalidities(self, window: str) -> list[Invalidity]:
        if self.cpu_share <= GENERATOR_CPU_SHARE_MAX:
            return []
        said = f"those who watch the market used {self.cpu_share:.0%} of a core: their ages are their own; use fewer"
        return [Invalidity(window, "generator", said)]


class MarketWatch:
    """Within the context the clients watch; `seen` when it is left. Nothing at all where the load has no watchers."""

    def __init__(self, cluster: Cluster, planned: PlannedWindow, scratch: Path) -> None:
        self.seen: Seen | None = None
        self._cluster, self._planned = cluster, planned
        self._ages, self._log = scratch / "ages", scratch / "market_watch.log"
        self._child: Child | None = None

    def __enter__(self) -> Self:
        """Raises GeneratorError where the clients do not get what they need to begin."""
        if self._planned.load.watchers.kind != "none":
            self._child = Child("loadgen.market_client", self._log)
            try:
                self._cluster.host(self._child.pid)
                self._child.send(encode(self._watch()))
                if not isinstance(self._said(self._child, READY_DEADLINE_S), Ready):
                    raise self._failed(self._child, "ended before it was told to")
            except BaseException:
                self._child.end(END_DEADLINE_S)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises GeneratorError where the clients failed meanwhile."""
        if self._child is None:
            return
        try:
            self._child.stop()
            if error is None:
                self.seen = self._read(self._child)
        finally:
            self._child.end(END_DEADLINE_S)

    def _watch(self) -> Watch:
        watchers, topology = self._planned.load.watchers, self._planned.topology
        keys = json.loads(self._cluster.secrets.api_keys.read_text())
        return Watch(
            address=self._cluster.address("haproxy"),
            api_key=str(next(iter(keys.values()))),
            kind=watchers.kind,
            clients=watchers.clients,
            every_s=watchers.every_s,
            symbols=topology.symbols,
            ages=str(self._ages),
        )

    def _read(self, child: Child) -> Seen:
        said = self._said(child, END_DEADLINE_S)
        if not isinstance(said, Watched):
            raise self._failed(child, "said nothing of what it saw")
        known_ns = np.frombuffer(self._ages.read_bytes(), np.int64).reshape(-1, 2)
        return Seen(self._planned.load.watchers.kind, known_ns, said.cpu_share)

    def _said(self, child: Child, deadline_s: float) -> Said:
        try:
            said = decode_said(child.line(deadline_s))
        except TimeoutError as error:
            raise self._failed(child, str(error)) from error
        except msgspec.DecodeError as error:
            raise self._failed(child, "ended") from error
        if isinstance(said, Failed):
            raise GeneratorError(f"those who watch the market failed: {said.reason}")
        return said

    @staticmethod
    def _failed(child: Child, what: str) -> GeneratorError:
        end = child.end_of_log(3) or "nothing"
        return GeneratorError(f"the process that watches the market {what}; the end of its log: {end}")
