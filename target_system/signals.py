"""The register of every metric, span and log event: what it means, its unit, its labels, and who emits it.

A name that is not declared here cannot be emitted (telemetry refuses it) nor used by a rule, a board or an analysis
(tests/test_house.py refuses that). Standard library only, so that anything may import it.

Metric names follow Prometheus: base units, `_total` for counters. Labels come from closed sets; order ids belong in
logs and traces.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MetricType(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A time series family. `name` is as scraped: a counter ends in `_total`. `buckets` are bounds in the unit."""

    name: str
    type: MetricType
    unit: str
    component: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class LogEvent:
    name: str
    component: str
    meaning: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    name: str
    component: str
    meaning: str


LATENCY_BUCKETS_S = (
    *(round(base * 10.0**exponent, 6) for exponent in (-4, -3, -2, -1) for base in (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)),
    *(1.0, 2.0, 5.0),
)
"""Ratio of neighbours <= 1.5, so a quantile read from them is at most 22 % off (half a bucket, geometrically)."""

_C, _G, _H = MetricType.COUNTER, MetricType.GAUGE, MetricType.HISTOGRAM

# One block a component; a new component adds its own.

GATEWAY: tuple[Metric, ...] = (
    Metric(
        "gateway_request_seconds",
        _H,
        "seconds",
        "gateway",
        "from the request's head to its answer",
        ("endpoint", "outcome"),
        LATENCY_BUCKETS_S,
    ),
    Metric(
        "gateway_stage_seconds",
        _H,
        "seconds",
        "gateway",
        "one stage of an order or a cancel: validate, engine, ledger, publish",
        ("stage",),
        LATENCY_BUCKETS_S,
    ),
    Metric(
        "gateway_orders_in_flight", _G, "orders", "gateway", "orders and cancels accepted for work, not yet answered"
    ),
    Metric(
        "gateway_event_loop_lag_seconds", _G, "seconds", "gateway", "worst lateness of a 20 ms timer in the last second"
    ),
    Metric(
        "gateway_engine_batch_commands",
        _H,
        "commands",
        "gateway",
        "commands sent to the engine in one message",
        (),
        (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256),
    ),
    Metric("gateway_engine_connected", _G, "bool", "gateway", "1 while the stream to the engine is up"),
    Metric(
        "gateway_engine_streams_total",
        _C,
        "streams",
        "gateway",
        "streams opened to the engine; more than one means reconnects",
    ),
    Metric("gateway_ledger_waiters", _G, "orders", "gateway", "orders waiting for a ledger connection", ("shard",)),
    Metric(
        "gateway_ledger_connections", _G, "connections", "gateway", "open connections to the ledger", ("shard", "state")
    ),
    Metric("gateway_ledger_retries_total", _C, "statements", "gateway", "inserts repeated after a lost connection"),
    Metric(
        "gateway_projection_batch_commands",
        _H,
        "commands",
        "gateway",
        "commands applied to Redis in one call",
        (),
        (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256),
    ),
    Metric(
        "gateway_projection_skipped_total",
        _C,
        "orders",
        "gateway",
        "orders answered before Redis had them; the settler applies them",
    ),
    Metric(
        "gateway_log_lines_dropped_total", _C, "lines", "gateway", "log lines lost because the writer could not keep up"
    ),
)
SETTLER: tuple[Metric, ...] = (
    Metric("settler_engine_sequence", _G, "commands", "settler", "the engine's last synced sequence number"),
    Metric("settler_ledger_sequence", _G, "commands", "settler", "up to here the ledger holds every sequence number"),
    Metric("settler_redis_sequence", _G, "commands", "settler", "up to here Redis has applied every sequence number"),
    Metric(
        "settler_holes_filled_total",
        _C,
        "commands",
        "settler",
        "results fetched from the engine and inserted into the ledger",
    ),
    Metric("settler_projected_total", _C, "commands", "settler", "sequence numbers applied to Redis from the ledger"),
    Metric("settler_books_published_total", _C, "books", "settler", "books written to Redis"),
    Metric("settler_server_up", _G, "bool", "settler", "1 while the last call to this server succeeded", ("server",)),
    Metric(
        "settler_round_seconds", _H, "seconds", "settler", "one round of comparing and filling", (), LATENCY_BUCKETS_S
    ),
    Metric(
        "settler_log_lines_dropped_total", _C, "lines", "settler", "log lines lost because the writer could not keep up"
    ),
)
ENGINE: tuple[Metric, ...] = (
    Metric("engine_commands_total", _C, "commands", "engine", "sequenced", ("kind", "outcome")),
    Metric("engine_rejects_total", _C, "commands", "engine", "rejected or not sequenced", ("reason",)),
    Metric("engine_repeats_total", _C, "commands", "engine", "answered with their first result"),
    Metric("engine_trades_total", _C, "trades", "engine", "trades"),
    Metric("engine_traded_lots_total", _C, "lots", "engine", "quantity traded"),
    Metric(
        "engine_thread_cpu_seconds_total", _C, "seconds", "engine", "CPU of its threads: book, sync, all", ("thread",)
    ),
    Metric(
        "engine_queue_wait_seconds", _H, "seconds", "engine", "a message's arrival to the matching of its first command"
    ),
    Metric("engine_match_duration_seconds", _H, "seconds", "engine", "matching one command, mean of its message"),
    Metric("engine_sync_duration_seconds", _H, "seconds", "engine", "write and fdatasync of one group of records"),
    Metric("engine_sync_batch_records", _H, "records", "engine", "journal records in one sync"),
    Metric("engine_sequence", _G, "commands", "engine", "sequence number of the last command matched"),
    Metric("engine_synced_sequence", _G, "commands", "engine", "sequence number up to which the journal is on disk"),
    Metric("engine_journal_bytes", _G, "bytes", "engine", "size of the journal"),
    Metric("engine_streams", _G, "streams", "engine", "open command streams"),
    Metric("engine_queue_depth_commands", _G, "commands", "engine", "waiting to be matched"),
    Metric("engine_queue_capacity_commands", _G, "commands", "engine", "that may wait"),
    Metric("engine_resting_orders", _G, "orders", "engine", "in all books"),
    Metric("engine_resting_orders_max", _G, "orders", "engine", "that all books can hold"),
    Metric("engine_ids", _G, "ids", "engine", "client order ids known"),
    Metric("engine_ids_max", _G, "ids", "engine", "client order ids that can be known"),
)
"""The engine's buckets are in its metrics.cpp."""
_PART = ("component", "instance")
CLUSTER: tuple[Metric, ...] = (
    Metric("cluster_up", _G, "bool", "cluster", "1 while the part answers", _PART),
    Metric("cluster_cpu_seconds_total", _C, "seconds", "cluster", "CPU that the part and its children used", _PART),
    Metric("cluster_cpu_quota_cores", _G, "cores", "cluster", "CPU quota; absent where there is none", _PART),
    Metric("cluster_cpu_periods_total", _C, "periods", "cluster", "quota periods in which the part ran", _PART),
    Metric("cluster_cpu_throttled_periods_total", _C, "periods", "cluster", "of these, with the quota used up", _PART),
    Metric("cluster_cpu_throttled_seconds_total", _C, "seconds", "cluster", "time stopped by the quota", _PART),
    Metric("cluster_memory_bytes", _G, "bytes", "cluster", "resident memory, what is shared counted once", _PART),
    Metric("cluster_restarts_total", _C, "restarts", "cluster", "restarts after a death", _PART),
    Metric("cluster_host_cores", _G, "cores", "cluster", "cores of the machine that the lab may use"),
    Metric("cluster_host_cpu_seconds_total", _C, "seconds", "cluster", "all cores: busy, idle or stolen", ("mode",)),
)
GENERATOR: tuple[Metric, ...] = ()
EXPORTERS: tuple[Metric, ...] = (
    Metric("up", _G, "bool", "prometheus", "1 if the last scrape of the target succeeded"),
    Metric("scrape_duration_seconds", _G, "seconds", "prometheus", "how long the last scrape of the target took"),
    Metric("node_cpu_seconds_total", _C, "seconds", "host", "time of each core by mode", ("cpu", "mode")),
    Metric("node_load1", _G, "tasks", "host", "load average of a minute"),
    Metric("node_memory_MemAvailable_bytes", _G, "bytes", "host", "memory that could be had without swapping"),
    Metric("node_pressure_cpu_waiting_seconds_total", _C, "seconds", "host", "some task waited for a core"),
    Metric("node_pressure_io_waiting_seconds_total", _C, "seconds", "host", "some task waited for a disk"),
    Metric("node_pressure_memory_waiting_seconds_total", _C, "seconds", "host", "some task waited for memory"),
    Metric("node_disk_writes_completed_total", _C, "writes", "host", "writes that a disk has ended", ("device",)),
    Metric("node_disk_write_time_seconds_total", _C, "seconds", "host", "time of these writes", ("device",)),
    Metric("node_disk_io_time_seconds_total", _C, "seconds", "host", "time a disk was busy", ("device",)),
    Metric("node_filesystem_avail_bytes", _G, "bytes", "host", "free space", ("device", "fstype", "mountpoint")),
    Metric("node_netstat_TcpExt_ListenOverflows", _C, "connections", "host", "accept queues that were full"),
    Metric("pg_up", _G, "bool", "ledger", "1 if the exporter reached the server"),
    Metric("pg_stat_database_xact_commit", _C, "transactions", "ledger", "commits", ("datname",)),
    Metric("pg_stat_database_xact_rollback", _C, "transactions", "ledger", "rollbacks", ("datname",)),
    Metric("pg_stat_database_tup_inserted", _C, "rows", "ledger", "rows inserted", ("datname",)),
    Metric("pg_stat_database_numbackends", _G, "connections", "ledger", "open connections", ("datname",)),
    Metric("pg_stat_database_deadlocks", _C, "deadlocks", "ledger", "deadlocks", ("datname",)),
    Metric("pg_stat_activity_count", _G, "sessions", "ledger", "sessions by state", ("datname", "state")),
    Metric("pg_locks_count", _G, "locks", "ledger", "locks held or awaited", ("datname", "mode")),
    Metric("pg_wal_records", _C, "records", "ledger", "records written to the WAL"),
    Metric("pg_wal_bytes", _C, "bytes", "ledger", "bytes written to the WAL"),
    Metric("pg_wal_writes", _C, "writes", "ledger", "writes of the WAL"),
    Metric("pg_wal_syncs", _C, "syncs", "ledger", "syncs of the WAL"),
    Metric("pg_wal_write_seconds", _C, "seconds", "ledger", "time spent writing the WAL"),
    Metric("pg_wal_sync_seconds", _C, "seconds", "ledger", "time spent syncing the WAL"),
    Metric("pg_wait_sessions", _G, "sessions", "ledger", "active sessions by what they wait for", ("type", "event")),
    Metric("redis_up", _G, "bool", "redis", "1 if the exporter reached the server"),
    Metric("redis_commands_processed_total", _C, "commands", "redis", "commands processed"),
    Metric("redis_connected_clients", _G, "connections", "redis", "open connections"),
    Metric("redis_memory_used_bytes", _G, "bytes", "redis", "memory in use"),
    Metric("redis_cpu_user_seconds_total", _C, "seconds", "redis", "CPU in user mode"),
    Metric("redis_cpu_sys_seconds_total", _C, "seconds", "redis", "CPU in the kernel"),
    Metric("redis_evicted_keys_total", _C, "keys", "redis", "keys removed for want of memory"),
    Metric("haproxy_frontend_http_requests_total", _C, "requests", "haproxy", "requests taken", ("proxy",)),
    Metric("haproxy_frontend_current_sessions", _G, "sessions", "haproxy", "open sessions", ("proxy",)),
    Metric("haproxy_backend_current_queue", _G, "requests", "haproxy", "requests waiting for a server", ("proxy",)),
    Metric(
        "haproxy_backend_response_time_average_seconds",
        _G,
        "seconds",
        "haproxy",
        "of the last 1,024 answers",
        ("proxy",),
    ),
    Metric("haproxy_backend_retry_warnings_total", _C, "retries", "haproxy", "tries repeated", ("proxy",)),
    Metric(
        "haproxy_backend_redispatch_warnings_total", _C, "requests", "haproxy", "sent to another server", ("proxy",)
    ),
    Metric("haproxy_server_http_responses_total", _C, "answers", "haproxy", "by code", ("proxy", "server", "code")),
    Metric("haproxy_server_current_sessions", _G, "sessions", "haproxy", "requests under way", ("proxy", "server")),
    Metric("haproxy_server_status", _G, "bool", "haproxy", "1 for its present state", ("proxy", "server", "state")),
    Metric("haproxy_process_idle_time_percent", _G, "percent", "haproxy", "share of its loop spent waiting"),
    Metric("namedprocess_namegroup_num_threads", _G, "threads", "host", "threads of a part"),
    Metric("namedprocess_namegroup_open_filedesc", _G, "descriptors", "host", "open file descriptors of a part"),
    Metric(
        "namedprocess_namegroup_context_switches_total",
        _C,
        "switches",
        "host",
        "of a part, voluntary or not",
        ("ctxswitchtype",),
    ),
)
"""What Debian's exporters and HAProxy say and the lab reads; only these are kept in a run's record."""

METRICS: dict[str, Metric] = {
    metric.name: metric for block in (GATEWAY, SETTLER, ENGINE, CLUSTER, GENERATOR, EXPORTERS) for metric in block
}

_LOG_EVENTS = (
    LogEvent("engine_started", "engine", "it listens", ("port", "metrics_port", "journal", "last_sequence")),
    LogEvent(
        "replayed",
        "engine",
        "the journal was matched again at the start",
        ("commands", "last_sequence", "last_trade_id", "resting_orders", "duration_ns"),
    ),
    LogEvent(
        "journal_torn_tail_cut",
        "engine",
        "the journal ended within a record whose result never left",
        ("offset", "bytes_cut", "synced_bytes_missing", "last_sequence"),
    ),
    LogEvent("snapshot_ignored", "engine", "a snapshot does not fit its journal, which is matched from the start"),
    LogEvent("journal_damaged", "engine", "a bad record before the journal's end; it does not start", ("offset",)),
    LogEvent("journal_mismatch", "engine", "a result in the journal is not what its command gives"),
    LogEvent("journal_write_failed", "engine", "the journal could not be written; the engine ends", ("error",)),
    LogEvent("listen_failed", "engine", "the port could not be had", ("error",)),
    LogEvent("start_failed", "engine", "it could not start", ("error",)),
    LogEvent("died", "cluster", "a part ended without being asked to", ("part", "said", "log_end")),
    LogEvent("restarted", "cluster", "a part answers again", ("part", "said")),
    LogEvent("given_up", "cluster", "a part died too often and stays down", ("part", "said", "log_end")),
    LogEvent(
        "order",
        "gateway",
        "one order or cancel was answered; stage durations in microseconds",
        (
            "trace_id",
            "endpoint",
            "account",
            "client_order_id",
            "order_id",
            "sequence",
            "outcome",
            "reason",
            "status",
            "validate_us",
            "engine_us",
            "ledger_us",
            "publish_us",
            "total_us",
        ),
    ),
    LogEvent("started", "gateway", "the process listens", ("host", "port")),
    LogEvent("stopping", "gateway", "SIGTERM came: no new orders", ("in_flight",)),
    LogEvent("stopped", "gateway", "the last answer is out", ("in_flight",)),
    LogEvent("engine_connected", "gateway", "the stream to the engine is up", ("target", "resent")),
    LogEvent(
        "engine_lost",
        "gateway",
        "the stream to the engine broke or could not be opened",
        ("target", "error", "pending"),
    ),
    LogEvent(
        "engine_unlike",
        "gateway",
        "the engine trades other symbols or prices than this gateway was told",
        ("target", "error"),
    ),
    LogEvent("ledger_connected", "gateway", "a connection to the ledger is up again", ("shard",)),
    LogEvent("ledger_lost", "gateway", "a connection to the ledger broke or could not be opened", ("shard", "error")),
    LogEvent("redis_away", "gateway", "Redis did not answer in time; orders go on without it", ("error",)),
    LogEvent("redis_back", "gateway", "Redis answers again"),
    LogEvent("failed", "gateway", "a request met an error that nobody foresaw", ("endpoint", "error", "traceback")),
    LogEvent("server_lost", "settler", "a server does not answer", ("server", "error")),
    LogEvent("server_back", "settler", "a server answers again", ("server",)),
    LogEvent("hole_filled", "settler", "results that the ledger lacked were inserted", ("first", "last", "count")),
    LogEvent("projected", "settler", "sequence numbers that Redis lacked were applied", ("first", "last", "count")),
)
LOG_EVENTS: dict[str, LogEvent] = {event.name: event for event in _LOG_EVENTS}
"""`started`, `stopping` and `stopped` are everybody's; a component named here is the one that logs the event most."""

_SPANS = (
    Span("order", "gateway", "an order or cancel, from the request's head to its answer"),
    Span("validate", "gateway", "authentication, validation, risk"),
    Span("engine", "gateway", "from the queue of the stream to the result"),
    Span("engine.queued", "engine", "in the engine, before matching"),
    Span("engine.matched", "engine", "matching"),
    Span("engine.synced", "engine", "waiting for the journal's sync"),
    Span("ledger", "gateway", "from the wait for a connection to the commit"),
    Span("publish", "gateway", "waiting for Redis, bounded by its deadline"),
)
SPANS: dict[str, Span] = {span.name: span for span in _SPANS}
