"""The machine's own noise while a window was measured: stolen CPU, a busy host, what others used, and its pauses.

What others used is what the cores did beside the cluster, the lab and what it runs. It is asked, and not guessed from
how late a thread is woken: where the lab's own load fills the machine, a thread of usual priority is late by its doing.
Why: docs/decisions/0014.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from deploy.local.host_cpu import TICKS_PER_S, HostCpu, host_cpu
from loadgen.child import Child
from loadgen.generator import GeneratorError
from loadgen.sleeper import Slept, Span

CpuSeconds = Callable[[], float | None]
"""What all that is the lab's has used so far; None where the machine does not account it."""

END_DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class Noise:
    steal_share: float
    host_busy_share: float
    foreign_share: float | None
    """Of the cores' time, what processes used that are not the lab's; None where the lab's own is not accounted."""
    hiccup_p50_ns: int
    hiccup_p99_ns: int
    hiccup_p99_9_ns: int
    hiccup_max_ns: int
    clock_step_max_ns: int


@dataclass(frozen=True, slots=True)
class Moment:
    """What the cores and the lab had used."""

    host: HostCpu
    ours_s: float | None

    @classmethod
    def now(cls, ours: CpuSeconds) -> Self:
        """The lab's is asked between two readings of the cores, whose mean is of the same moment."""
        before, ours_s, after = host_cpu(), ours(), host_cpu()
        return cls(before.halfway(after), ours_s)

    def shares(self, earlier: Moment) -> tuple[float, float, float | None]:
        """Stolen, busy, and used by others."""
        spent = self.host - earlier.host
        total = max(spent.busy_ticks + spent.stolen_ticks + spent.idle_ticks, 1)
        foreign = None
        if self.ours_s is not None and earlier.ours_s is not None:
            ours_ticks = (self.ours_s - earlier.ours_s) * TICKS_PER_S
            foreign = max(spent.busy_ticks - spent.interrupt_ticks - ours_ticks, 0.0) / total
        return spent.stolen_ticks / total, (spent.busy_ticks + spent.stolen_ticks) / total, foreign


class NoiseMeter:
    """Listens from `from_ns` until `until_ns` (wall clock) or until it is stopped; gives `noise` once it was left.

    Leaving it raises GeneratorError where its sleeper failed.
    """

    def __init__(self, from_ns: int, until_ns: int, log: Path, ours: CpuSeconds = lambda: None) -> None:
        self._from_ns, self._until_ns, self._ours = from_ns, until_ns, ours
        self._stopped = threading.Event()
        self._shares: tuple[float, float, float | None] = (0.0, 0.0, None)
        self._noise: Noise | None = None
        self._sleeper = Child("loadgen.sleeper", log)
        self._sleeper.send(msgspec.json.encode(Span(from_ns, until_ns)))
        self._thread = threading.Thread(target=self._compare, name="noise", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._thread.join()
        try:
            if error is None:
                self._noise = self._heard()
        finally:
            self._sleeper.end(END_DEADLINE_S)

    @property
    def pid(self) -> int:
        """The sleeper's."""
        return self._sleeper.pid

    @property
    def noise(self) -> Noise:
        assert self._noise is not None
        return self._noise

    def stop(self) -> None:
        self._stopped.set()
        self._sleeper.stop()

    def _heard(self) -> Noise:
        try:
            slept = msgspec.json.decode(self._sleeper.line(END_DEADLINE_S), type=Slept)
        except (TimeoutError, msgspec.DecodeError) as error:
            end = self._sleeper.end_of_log(3) or "nothing"
            raise GeneratorError(f"the sleeper said nothing of the machine; the end of its log: {end}") from error
        stolen, busy, foreign = self._shares
        return Noise(stolen, busy, foreign, **msgspec.structs.asdict(slept))

    def _compare(self) -> None:
        self._stopped.wait(max(self._from_ns - time.time_ns(), 0) / 1e9)
        began = Moment.now(self._ours)
        self._stopped.wait(max(self._until_ns - time.time_ns(), 0) / 1e9)
        self._shares = Moment.now(self._ours).shares(began)
