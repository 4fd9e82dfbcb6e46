"""The generator watching itself: what it did in each second, and whether it kept up.

A generator that is short of CPU reports a slow system. So each second it says how much CPU it used, how late its timers
woke it, and how late requests went out; `loadgen.validity` judges that.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from loadgen.assignment import Second
from loadgen.receipts import NEVER_SENT, OK, outcome_name


class Meter:
    """Counts until `second` is called, which gives the sums and begins anew."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._latencies_ns: list[int] = []
        self._wake_lags_ns: list[int] = []
        self._schedule_errors_ns: list[int] = []
        self._outcomes: Counter[int] = Counter()
        self._cpu_seconds = time.process_time()

    def sent(self, schedule_error_ns: int) -> None:
        self.in_flight += 1
        self._schedule_errors_ns.append(schedule_error_ns)

    def ended(self, outcome: int, latency_ns: int) -> None:
        self.in_flight -= outcome not in NEVER_SENT
        self._outcomes[outcome] += 1
        if outcome == OK:
            self._latencies_ns.append(latency_ns)

    def woke(self, lag_ns: int) -> None:
        self._wake_lags_ns.append(lag_ns)

    def second(self, t_ns: int, offered: int | None = None, lag_ns: int = 0) -> Second:
        """`offered`: requests that were due in it; in a closed loop those that were sent."""
        used, self._cpu_seconds = self._cpu_seconds, time.process_time()
        cpu_seconds = self._cpu_seconds - used
        sent = len(self._schedule_errors_ns)
        told = Second(
            t_ns=t_ns,
            offered=sent if offered is None else offered,
            sent=sent,
            lag_ns=lag_ns,
            requests=self._outcomes.total(),
            outcomes={outcome_name(code): count for code, count in self._outcomes.items()},
            p50_ns=quantile(self._latencies_ns, 0.50),
            p99_ns=quantile(self._latencies_ns, 0.99),
            in_flight=self.in_flight,
            cpu_seconds=cpu_seconds,
            busiest_cpu_seconds=cpu_seconds,
            wake_lag_p99_ns=quantile(self._wake_lags_ns, 0.99),
            schedule_error_p99_ns=quantile(self._schedule_errors_ns, 0.99),
        )
        self._outcomes.clear()
        for sample in (self._latencies_ns, self._wake_lags_ns, self._schedule_errors_ns):
            sample.clear()
        return told


def quantile(sample: Sequence[int], share: float) -> int:
    """The smallest value with at least that share at or below it."""
    return sorted(sample)[min(int(len(sample) * share), len(sample) - 1)] if sample else 0
