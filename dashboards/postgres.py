"""The ledger's servers: how long a commit takes, and what it waits for."""

from dashboards.model import Board, Kind, Variable
from dashboards.panels import PROMISED, latency, lines, logs, per_event, rate, rate_of, saturation, waits

HERE = 'instance=~"$instance"'
LEDGER = f'{HERE},datname="ledger"'

BOARD = Board(
    "postgres",
    "Postgres",
    "Commit latency, waits, locks, WAL and connections of the ledger.",
    (
        latency(
            "gateway_stage_seconds",
            "If the waits below are few and its CPU idle, orders wait for a connection.",
            'stage="ledger"',
            title="A commit as the gateway sees it",
            thresholds=PROMISED,
        ),
        lines(
            "Transactions",
            "transactions/s",
            {
                "committed": rate_of("pg_stat_database_xact_commit", LEDGER),
                "rolled back": rate_of("pg_stat_database_xact_rollback", LEDGER),
            },
            "In the ledger's database.",
            "Rollbacks: two writers of one order; the settler's and the gateways' logs say why.",
        ),
        waits("WALSync, WALWrite: the disk. Lock: find its holder in pg_locks. LWLock: too many writers at once."),
        lines(
            "A sync of the WAL takes",
            "seconds",
            {
                "sync": per_event("pg_wal_sync_seconds", "pg_wal_syncs", HERE),
                "write": per_event("pg_wal_write_seconds", "pg_wal_writes", HERE),
            },
            "Mean of one sync and one write.",
            "If it grew, the disk did: see the board Host, and who else writes.",
        ),
        lines(
            "Commits for each sync",
            "commits",
            {"commits": per_event("pg_stat_database_xact_commit", "pg_wal_syncs", HERE)},
            "How many commits share one sync of the WAL.",
            "1: each pays its own; more writers, or the group write path, share.",
        ),
        rate(
            "pg_wal_bytes",
            "Bytes for an order should stay even; a jump is full pages after a checkpoint.",
            HERE,
            title="WAL written",
        ),
        lines(
            "Locks",
            "locks",
            {"{{mode}}": f'sum by (mode) (pg_locks_count{{{LEDGER},mode=~".*exclusivelock"}})'},
            "Held or awaited, by mode, those that others wait for.",
            "ExclusiveLock or AccessExclusiveLock that stays: a foreign session holds rows or a table.",
        ),
        lines(
            "Connections",
            "sessions",
            {"{{state}}": f"sum by (state) (pg_stat_activity_count{{{LEDGER}}})"},
            "Sessions in the ledger's database by state.",
            "idle in transaction that stays: somebody holds locks and does nothing.",
            kind=Kind.STACK,
        ),
        lines(
            "The gateways' pools",
            "number",
            {
                "busy": 'sum(gateway_ledger_connections{state="busy"})',
                "idle": 'sum(gateway_ledger_connections{state="idle"})',
                "orders waiting for one": "sum(gateway_ledger_waiters)",
            },
            "Connections of all gateways, and orders without one.",
            "Waiting orders while Postgres is idle: raise gateways.ledger_pool_size.",
        ),
        saturation(
            "Red: more CPU, another shard, or the group write path.",
            f'component="ledger",{HERE}',
            title="How full is each server",
            width=12,
        ),
        lines(
            "Trouble",
            "events/s",
            {
                "deadlocks": rate_of("pg_stat_database_deadlocks", HERE),
                "inserts repeated": rate_of("gateway_ledger_retries_total"),
            },
            "Deadlocks, and inserts that gateways repeated after a lost connection.",
            "Above zero: read the log of Postgres below.",
            width=12,
        ),
        logs("Log of Postgres", ("ledger",), "What the servers wrote.", "Read from the top."),
    ),
    (Variable("instance", "Server", "pg_up", "instance"),),
)
