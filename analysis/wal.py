"""The write-ahead log and the data files behind it: what an order writes, how many commits share a sync, and whether
sessions wait for data files, as they do when a checkpoint floods the disk or the buffers are too small.
"""

from __future__ import annotations

from analysis.finding import Bearing, Figure, Finding, Mechanism
from analysis.measured import Configuration, configurations
from analysis.waits import HELD_UP, rate_of, waits_of
from loadgen.record import Run

BYTES, COMMITS = "pg_wal_bytes", "pg_stat_database_xact_commit"
DATA_FILES = ("DataFileRead", "DataFileWrite", "DataFileSync", "DataFileFlush", "CheckpointStart", "CheckpointDone")
SESSIONS_MIN = 0.5
"""Mean sessions in data files below which they hold nobody up, whatever their share."""


def wal(run: Run) -> list[Finding]:
    return [found for each in configurations(run) if each.orders and (found := _finding(run, each)) is not None]


def _finding(run: Run, configuration: Configuration) -> Finding | None:
    seen = waits_of(run, configuration)
    written, commits = (rate_of(run, configuration, metric) for metric in (BYTES, COMMITS))
    if written is None or not seen.syncs_per_s or seen.syncing_share is None:
        return None
    on_files = sum(count for (_, event), count in seen.sessions.items() if event in DATA_FILES)
    suspected = on_files >= max(SESSIONS_MIN, HELD_UP * seen.at_work)
    sync_ms, shared = 1e3 * seen.syncing_share / seen.syncs_per_s, (commits or 0.0) / seen.syncs_per_s
    claim = f"A sync of the WAL takes {sync_ms:.2f} ms and makes {shared:.1f} commits durable"
    return Finding(
        claim=f"{claim}; {on_files:.1f} sessions wait for data files" if suspected else claim,
        component="ledger",
        mechanism=Mechanism.DATA_FILES,
        status=Bearing.SUSPECTED if suspected else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=(
            Figure("waiting for data files", 1e3 * on_files / configuration.orders_per_s.value, "ms an order"),
            Figure("a sync of the WAL", sync_ms, "ms"),
            Figure("commits made durable by a sync", shared, "commits"),
            Figure("WAL written", written / configuration.orders_per_s.value / 1024, "KiB an order"),
        ),
        doubt="A checkpoint, or buffers too small for what is read: which of them, is not recorded."
        if suspected
        else "",
        next_step="Spread checkpoints (checkpoint_timeout, max_wal_size) or give shared_buffers more, one at a time."
        if suspected
        else "",
    )
