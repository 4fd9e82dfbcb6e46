"""Where the time of an order goes, waiting included: a commit sleeps on the disk and leaves every CPU idle.

The stages are timed inside the gateway, so where its event loop is full each of them also holds the wait for its turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.finding import Bearing, Figure, Finding, Mechanism
from analysis.measured import Configuration, configurations, latency
from analysis.series import counter, gauge
from loadgen.record import Run

STAGE = "gateway_stage_seconds"
STAGES = ("validate", "engine", "ledger", "publish")
WAITERS = "gateway_ledger_waiters"
LOOP_LAG = "gateway_event_loop_lag_seconds"
DOMINANT = 0.5
"""A stage that holds an order for half of its latency or more is a suspect."""
QUEUE_AT_POOL = 0.5
"""Mean orders waiting for a connection from which on the pool is a suspect."""


@dataclass(frozen=True, slots=True)
class Residence:
    """Mean time (ms) of an order or a cancel by stage; `elsewhere`: proxy, network, waiting for the event loop."""

    stages_ms: Mapping[str, float]
    whole_ms: float
    pool_waiters: float | None
    loop_lag_ms: float | None

    @property
    def elsewhere_ms(self) -> float:
        return max(0.0, self.whole_ms - sum(self.stages_ms.values()))

    def share(self, stage: str) -> float:
        return self.stages_ms[stage] / self.whole_ms


def waits(run: Run) -> list[Finding]:
    found = []
    for configuration in configurations(run):
        time = residence(run, configuration)
        if time is None or "ledger" not in time.stages_ms:
            found.append(_missing(configuration))
        else:
            found.append(_ledger(configuration, time))
    return found


def residence(run: Run, configuration: Configuration) -> Residence | None:
    """None where the gateways' stage times were not recorded."""
    stages = {}
    for stage in STAGES:
        sums = [counter(run, f"{STAGE}_sum", window, stage=stage) for window in configuration.windows]
        counts = [counter(run, f"{STAGE}_count", window, stage=stage) for window in configuration.windows]
        took, times = _total(sums), _total(counts)
        if times:
            stages[stage] = 1e3 * took / times
    if not stages:
        return None
    return Residence(
        stages_ms=stages,
        whole_ms=latency(run, configuration, endpoint=None).get_mean_value() / 1e6,
        pool_waiters=_mean(run, configuration, WAITERS),
        loop_lag_ms=_milliseconds(_mean(run, configuration, LOOP_LAG)),
    )


def _total(parts: list[np.ndarray | None]) -> float:
    return sum(float(part.sum()) for part in parts if part is not None)


def _mean(run: Run, configuration: Configuration, metric: str) -> float | None:
    """Mean over time of a gauge summed over its instances."""
    found = [values for window in configuration.windows if (values := gauge(run, metric, window)) is not None]
    return float(np.mean(np.concatenate(found))) if found else None


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


def _ledger(configuration: Configuration, time: Residence) -> Finding:
    share, pooled = time.share("ledger"), (time.pool_waiters or 0.0) >= QUEUE_AT_POOL
    dominant = share >= DOMINANT
    claim = f"An order spends {share:.0%} of its {time.whole_ms:.1f} ms in the ledger stage"
    if pooled:
        claim += f", {time.pool_waiters:.1f} orders waiting for a connection at any time"
    evidence = [
        Figure("ledger stage", time.stages_ms["ledger"], "ms an order"),
        Figure("ledger stage of the latency", 100 * share, "%"),
    ]
    if time.pool_waiters is not None:
        evidence.append(Figure("orders waiting for a connection", time.pool_waiters, "orders"))
    return Finding(
        claim=claim,
        component="postgres",
        mechanism=Mechanism.POOL if pooled and dominant else Mechanism.COMMIT,
        status=Bearing.SUSPECTED if dominant else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=tuple(evidence),
        doubt="The stage is timed in the gateway: a full event loop or a throttled gateway lengthens it as well."
        if dominant
        else "",
        next_step="Relieve the commit path alone (group commit, faster sync, a shard) and see whether throughput follows."
        if dominant
        else "",
    )


def _missing(configuration: Configuration) -> Finding:
    return Finding(
        claim="No stage times of the gateways were recorded",
        component="postgres",
        mechanism=Mechanism.COMMIT,
        status=Bearing.MISSING,
        configuration=configuration.name,
        doubt="The commit path sleeps on the disk and uses no CPU: it can be neither suspected nor cleared.",
        next_step="See that Prometheus scrapes every gateway, and run the campaign again.",
    )
