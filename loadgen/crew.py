"""Several generator processes as one: their shares of each second added up, and who fell silent. No locust in here.

A worker says each second what it counted, with the receipts of that second; receipts are what the run's histograms and
acknowledgements are made of, so the whole is exactly what one process would have recorded.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from loadgen.assignment import Second
from loadgen.meter import quantile
from loadgen.receipts import OK, ROW

LOST_AFTER_S = 4.0
"""A worker that says nothing for so long has fallen silent; it speaks once a second."""


class Share(msgspec.Struct, frozen=True):
    """What a worker says: of a second, or, with none, at its end."""

    second: Second | None
    receipts: bytes


pack, unpack = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Share).decode


@dataclass(slots=True)
class Crew:
    """`heard` takes what workers say, `take` gives what came since it was last asked."""

    workers: Sequence[str]
    here: Sequence[str]
    """Those on this machine: their CPU time is of our allotment."""
    _rows: list[bytes] = field(default_factory=list, init=False)
    _seconds: list[tuple[str, Second]] = field(default_factory=list, init=False)
    _heard_s: dict[str, float] = field(default_factory=dict, init=False)
    _ended: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._heard_s = dict.fromkeys(self.workers, time.monotonic())

    def heard(self, worker: str, packed: bytes) -> None:
        share = unpack(packed)
        self._heard_s[worker] = time.monotonic()
        self._rows.append(share.receipts)
        if share.second is None:
            self._ended.add(worker)
        else:
            self._seconds.append((worker, share.second))

    @property
    def lost(self) -> list[str]:
        silent_since_s = time.monotonic() - LOST_AFTER_S
        return [name for name in self.workers if name not in self._ended and self._heard_s[name] < silent_since_s]

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is to come."""
        return len(self._ended) + len(self.lost) == len(self.workers)

    def take(self, t_ns: int, own_cpu_seconds: Sequence[float], *, is_last: bool = False) -> tuple[bytes, Second]:
        """Receipts and second. Its latencies are exact, from the receipts; lateness is that of the worst worker.

        `own_cpu_seconds`: of the master, then of each connection that it holds to a host. `is_last`: who has not said
        farewell by now is lost.
        """
        rows, told = b"".join(self._rows), self._seconds
        self._rows, self._seconds = [], []
        seconds = [second for _, second in told]
        receipts = np.frombuffer(rows, ROW)
        ok = receipts[receipts["outcome"] == OK]
        latencies_ns = (ok["answered_ns"] - ok["intended_ns"]).tolist()
        outcomes: Counter[str] = Counter()
        for second in seconds:
            outcomes.update(second.outcomes)
        used = dict.fromkeys(self.workers, 0.0)
        for worker, second in told:
            used[worker] += second.cpu_seconds
        return rows, Second(
            t_ns=t_ns,
            requests=sum(second.requests for second in seconds),
            outcomes=dict(outcomes),
            offered=sum(second.offered for second in seconds),
            sent=sum(second.sent for second in seconds),
            lag_ns=max((second.lag_ns for second in seconds), default=0),
            p50_ns=quantile(latencies_ns, 0.50),
            p99_ns=quantile(latencies_ns, 0.99),
            in_flight=sum(second.in_flight for second in seconds),
            cpu_seconds=sum(own_cpu_seconds) + sum(used[worker] for worker in self.here),
            busiest_cpu_seconds=max(*used.values(), *own_cpu_seconds),
            wake_lag_p99_ns=max((second.wake_lag_p99_ns for second in seconds), default=0),
            schedule_error_p99_ns=max((second.schedule_error_p99_ns for second in seconds), default=0),
            workers_lost=len(self.workers) - len(self._ended) if is_last else len(self.lost),
            hosts_wake_lag_p99_ns=max(
                (second.wake_lag_p99_ns for worker, second in told if worker not in self.here), default=0
            ),
        )
