"""The faults of a campaign at their moments: each in a thread of its own, reverted however the window ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from deploy.cluster import Cluster, ClusterError
from deploy.faults.fault import Fault, FaultError, inflicted
from loadgen.campaign import Timed

END_DEADLINE_S = 90.0
"""More than a fault takes to be reverted and the cluster to be whole again."""


class Timeline:
    """`start` when the measured part is known; leaving the context reverts what still lasts. `events` tell of it."""

    def __init__(self, cluster: Cluster, faults: Sequence[Timed]) -> None:
        self.events: list[dict[str, Any]] = []
        self._cluster, self._faults = cluster, faults
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._errors: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(END_DEADLINE_S)
        if error is None and self._errors:
            raise FaultError("\n".join(self._errors))

    def start(self, measured_from_ns: int) -> None:
        for timed in self._faults:
            thread = threading.Thread(target=self._strike, args=(timed, measured_from_ns), name="fault", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _strike(self, timed: Timed, measured_from_ns: int) -> None:
        wait_s = measured_from_ns / 1e9 + timed.at_s - time.time()
        if self._ended.wait(max(wait_s, 0)):
            return
        try:
            self._note(timed.fault, "struck")
            with inflicted(self._cluster, timed.fault):
                self._ended.wait(timed.for_s)
                self._note(timed.fault, "reverted")
        except (FaultError, ClusterError) as error:
            self._errors.append(str(error))

    def _note(self, fault: Fault, kind: str) -> None:
        given = fault.model_dump(mode="json")
        part = str(given.pop("part", None) or given.get("link", "cluster"))
        said = " ".join(str(value) for value in given.values())
        self.events.append({"t_ns": time.time_ns(), "kind": kind, "part": part, "said": said, "log_end": ""})
