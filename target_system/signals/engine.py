"""What the engine says; the buckets of its histograms are in its metrics.cpp."""

from target_system.signals.kinds import COUNTER, GAUGE, HISTOGRAM, LogEvent, Metric, Span

METRICS: tuple[Metric, ...] = (
    Metric("engine_commands_total", COUNTER, "commands", "engine", "sequenced", ("kind", "outcome")),
    Metric("engine_rejects_total", COUNTER, "commands", "engine", "rejected or not sequenced", ("reason",)),
    Metric("engine_repeats_total", COUNTER, "commands", "engine", "answered with their first result"),
    Metric("engine_trades_total", COUNTER, "trades", "engine", "trades"),
    Metric("engine_traded_lots_total", COUNTER, "lots", "engine", "quantity traded"),
    Metric(
        "engine_thread_cpu_seconds_total",
        COUNTER,
        "seconds",
        "engine",
        "CPU of its threads: book, sync, feed, all",
        ("thread",),
    ),
    Metric(
        "engine_queue_wait_seconds",
        HISTOGRAM,
        "seconds",
        "engine",
        "a message's arrival to the matching of its first command",
    ),
    Metric(
        "engine_match_duration_seconds", HISTOGRAM, "seconds", "engine", "matching one command, mean of its message"
    ),
    Metric(
        "engine_sync_duration_seconds", HISTOGRAM, "seconds", "engine", "write and fdatasync of one group of records"
    ),
    Metric("engine_sync_batch_records", HISTOGRAM, "records", "engine", "journal records in one sync"),
    Metric("engine_sequence", GAUGE, "commands", "engine", "sequence number of the last command matched"),
    Metric("engine_synced_sequence", GAUGE, "commands", "engine", "sequence number up to which the journal is on disk"),
    Metric("engine_journal_bytes", GAUGE, "bytes", "engine", "size of the journal"),
    Metric("engine_feed_subscribers", GAUGE, "streams", "engine", "market data streams"),
    Metric("engine_feed_updates_total", COUNTER, "updates", "engine", "changes of a symbol told to subscribers"),
    Metric("engine_feed_cut_off_total", COUNTER, "streams", "engine", "subscribers that did not keep up"),
    Metric("engine_feed_backlog_bytes", GAUGE, "bytes", "engine", "synced records that wait to be told"),
    Metric("engine_feed_backlog_max_bytes", GAUGE, "bytes", "engine", "that may wait; then all are ended"),
    Metric("engine_streams", GAUGE, "streams", "engine", "open command streams"),
    Metric("engine_queue_depth_commands", GAUGE, "commands", "engine", "waiting to be matched"),
    Metric("engine_queue_capacity_commands", GAUGE, "commands", "engine", "that may wait"),
    Metric("engine_resting_orders", GAUGE, "orders", "engine", "in all books"),
    Metric("engine_resting_orders_max", GAUGE, "orders", "engine", "that all books can hold"),
    Metric("engine_ids", GAUGE, "ids", "engine", "client order ids known"),
    Metric("engine_ids_max", GAUGE, "ids", "engine", "client order ids that can be known"),
)

LOG_EVENTS: tuple[LogEvent, ...] = (
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
    LogEvent("subscriber_cut_off", "engine", "it did not read its market data fast enough", ("peer", "waiting_bytes")),
    LogEvent("listen_failed", "engine", "the port could not be had", ("error",)),
    LogEvent("start_failed", "engine", "it could not start", ("error",)),
)

SPANS: tuple[Span, ...] = (
    Span("engine.queued", "engine", "in the engine, before matching"),
    Span("engine.matched", "engine", "matching"),
    Span("engine.synced", "engine", "waiting for the journal's sync"),
)
