"""What Postgres's sessions wait for: a commit for the sync of the disk, a row for its lock, an order for a connection.
None of it uses CPU.

A sampler counts the sessions at work many times a second; samples over its ticks is the average number of active
sessions by wait event, and one that waits for nothing is on a processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.causes import Cause, silence
from analysis.finding import Bearing, Figure, Finding, Mechanism, in_words, percent
from analysis.measured import Configuration, configurations
from analysis.residence import DOMINANT, STAGE, TIMED_IN_THE_GATEWAY, Residence, mean_of, residence_of
from analysis.series import counter, increase, samples_of
from loadgen.record import Run

WAITERS, CONNECTIONS = "gateway_ledger_waiters", "gateway_ledger_connections"
SAMPLES, TICKS = "ledger_wait_samples_total", "ledger_wait_ticks_total"
SYNCS, SYNC_SECONDS = "pg_wal_syncs", "pg_wal_sync_seconds"
WAL_EVENTS = frozenset({"WALSync", "WALWrite", "WALInitSync", "WALBufMapping", "WALInsert"})
LOCKED = 0.5
"""Mean sessions waiting for a lock from which on that explains a standstill."""
HELD_UP = 0.5
"""Share of the working sessions that wait for disk or locks, from which on that and not their number is suspected."""
QUEUE_AT_POOL = 0.5
"""Mean orders waiting for a connection from which on the pool is a suspect."""


@dataclass(frozen=True, slots=True)
class Waits:
    sessions: Mapping[tuple[str, str], float]
    """(type, event) → mean number of active sessions in it."""
    pool_waiters: float | None
    syncs_per_s: float | None
    syncing_share: float | None
    """Seconds of WAL sync in each second."""
    in_stage: float | None
    """Mean orders in the gateways' ledger stage: waiting for a connection, or holding one."""
    busy_connections: float | None
    """Of the gateways to Postgres; where commits are shared, many orders wait for the work of one."""

    @property
    def on_wal(self) -> float:
        return sum(count for (_, event), count in self.sessions.items() if event in WAL_EVENTS)

    @property
    def at_work(self) -> float:
        return sum(self.sessions.values())

    @property
    def under_way(self) -> float:
        """Mean connections that are held while no session works for them: what they carry is on the network."""
        if self.in_stage is None or not self.sessions:
            return 0.0
        held = self.in_stage - (self.pool_waiters or 0.0)
        if self.busy_connections is not None:
            held = min(held, self.busy_connections)
        return max(0.0, held - self.at_work)

    @property
    def on_locks(self) -> float:
        return sum(count for (kind, _), count in self.sessions.items() if kind == "Lock")


def waits(run: Run) -> list[Finding]:
    found = []
    for configuration in configurations(run):
        time = residence_of(run, configuration)
        if not configuration.orders:
            found += _stuck(configuration, waits_of(run, configuration))
        elif time is not None and "ledger" in time.stages_ms:
            found.append(_ledger(run, configuration, time))
    return found


def _stuck(configuration: Configuration, seen: Waits) -> list[Finding]:
    """Where not one order came through there are no stage times, but sessions may be seen to wait for a lock."""
    if seen.on_locks < LOCKED:
        return []
    return [
        Finding(
            claim=f"No order came through while {seen.on_locks:.1f} sessions waited for a lock at any time",
            component="ledger",
            mechanism=Mechanism.LOCK,
            status=Bearing.SUSPECTED,
            configuration=configuration.name,
            evidence=(Figure("Postgres sessions waiting for a lock", seen.on_locks, "sessions"),),
            doubt="Who holds the lock is not recorded.",
            next_step="Look at pg_locks for the session that holds what the others wait for, and end it.",
        )
    ]


def waits_of(run: Run, configuration: Configuration) -> Waits:
    return Waits(
        sessions=_sessions(run, configuration),
        pool_waiters=mean_of(run, configuration, WAITERS),
        syncs_per_s=rate_of(run, configuration, SYNCS),
        syncing_share=rate_of(run, configuration, SYNC_SECONDS),
        in_stage=rate_of(run, configuration, f"{STAGE}_sum", stage="ledger"),
        busy_connections=mean_of(run, configuration, CONNECTIONS, state="busy"),
    )


def _sessions(run: Run, configuration: Configuration) -> dict[tuple[str, str], float]:
    """Samples over ticks of one shard's sampler, the shards summed."""
    counts: dict[tuple[str, str], float] = {}
    ticks = 0.0
    for window in configuration.windows:
        looks = samples_of(run, TICKS, window)
        grown = counter(run, TICKS, window)
        if grown is None:
            continue
        ticks += float(grown.sum()) / looks["instance"].nunique()
        rows = samples_of(run, SAMPLES, window)
        if rows.empty:
            continue
        for (kind, event), samples in rows[rows["type"] != "Client"].groupby(["type", "event"]):
            key = (str(kind), str(event))
            counts[key] = counts.get(key, 0.0) + float(increase(samples, window).sum())
    return {key: count / ticks for key, count in counts.items()} if ticks else {}


def rate_of(run: Run, configuration: Configuration, metric: str, **labels: str) -> float | None:
    found = [
        values for window in configuration.windows if (values := counter(run, metric, window, **labels)) is not None
    ]
    return float(np.mean(np.concatenate(found))) if found else None


def _ledger(run: Run, configuration: Configuration, time: Residence) -> Finding:
    seen = waits_of(run, configuration)
    share = time.share("ledger")
    dominant = share >= DOMINANT
    claim = f"An order spends {percent(share)} of its {time.whole_ms:.1f} ms in the ledger stage"
    cause, next_step = _cause(run, configuration, time.stages_ms["ledger"], seen)
    return Finding(
        claim=f"{claim}, {cause.why}" if dominant else claim,
        component=cause.component if dominant else "ledger",
        mechanism=cause.mechanism if dominant else Mechanism.COMMIT,
        status=Bearing.SUSPECTED if dominant else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=(*_evidence(time, seen), *cause.evidence),
        doubt=TIMED_IN_THE_GATEWAY if dominant else "",
        next_step=next_step if dominant else "",
    )


def _cause(run: Run, configuration: Configuration, stage_ms: float, seen: Waits) -> tuple[Cause, str]:
    if silent := silence(run, configuration, ("gateway", "ledger"), stage_ms):
        return (
            silent,
            f"See what {in_words(silent.component)} did while it did not answer: its log, its stack.",
        )
    mechanism, why, next_step = _mechanism(seen)
    component = "network gateway-ledger" if mechanism is Mechanism.NETWORK else "ledger"
    return Cause(component, mechanism, why), next_step


def _mechanism(seen: Waits) -> tuple[Mechanism, str, str]:
    """What a long ledger stage most likely is, in words, and what would show it.

    What connections are held for comes first: where that is long, a pool that runs dry is only what follows.
    """
    if seen.under_way > seen.at_work:
        return (
            Mechanism.NETWORK,
            f"{seen.under_way:.1f} connections at any time held by orders while no session worked for them",
            "Measure the round trip between gateways and Postgres, and its bandwidth, under this load.",
        )
    is_held_up = 0 < HELD_UP * seen.at_work <= seen.on_wal + seen.on_locks
    if not is_held_up and (seen.pool_waiters or 0.0) >= QUEUE_AT_POOL:
        return (
            Mechanism.POOL,
            f"{seen.pool_waiters:.1f} orders waiting for a connection at any time",
            "Give the gateways more connections, and see whether throughput follows or the wait moves into Postgres.",
        )
    if seen.on_locks > seen.on_wal:
        return (
            Mechanism.LOCK,
            f"{seen.on_locks:.1f} sessions waiting for a lock at any time",
            "Look at pg_locks under this load for who holds what the others wait for.",
        )
    why = f"{seen.on_wal:.1f} sessions waiting for the WAL at any time" if seen.sessions else "its wait events unseen"
    return (
        Mechanism.COMMIT,
        why,
        "Relieve the commit path alone (group commit, faster sync, a shard), and see whether throughput follows.",
    )


def _evidence(time: Residence, seen: Waits) -> tuple[Figure, ...]:
    figures = [
        Figure("ledger stage", time.stages_ms["ledger"], "ms an order"),
        Figure("ledger stage of the latency", 100 * time.share("ledger"), "%"),
    ]
    if seen.pool_waiters is not None:
        figures.append(Figure("orders waiting for a connection", seen.pool_waiters, "orders"))
    for (kind, event), count in sorted(seen.sessions.items(), key=lambda item: -item[1])[:3]:
        name = "on a processor" if kind == "CPU" else f"waiting for {kind} {event}"
        figures.append(Figure(f"Postgres sessions {name}", count, "sessions"))
    if seen.syncing_share is not None:
        figures.append(Figure("WAL syncs under way", 100 * seen.syncing_share, "% of the time"))
    if seen.syncs_per_s is not None:
        figures.append(Figure("WAL syncs", seen.syncs_per_s, "syncs/s"))
    return tuple(figures)
