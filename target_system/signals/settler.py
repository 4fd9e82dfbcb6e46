"""What the settler says."""

from target_system.signals.kinds import COUNTER, GAUGE, HISTOGRAM, LATENCY_BUCKETS_S, LogEvent, Metric

METRICS: tuple[Metric, ...] = (
    Metric("settler_engine_sequence", GAUGE, "commands", "settler", "the engine's last synced sequence number"),
    Metric(
        "settler_ledger_sequence", GAUGE, "commands", "settler", "up to here the ledger holds every sequence number"
    ),
    Metric(
        "settler_redis_sequence", GAUGE, "commands", "settler", "up to here Redis has applied every sequence number"
    ),
    Metric(
        "settler_holes_filled_total",
        COUNTER,
        "commands",
        "settler",
        "results fetched from the engine and inserted into the ledger",
    ),
    Metric(
        "settler_projected_total", COUNTER, "commands", "settler", "sequence numbers applied to Redis from the ledger"
    ),
    Metric("settler_books_published_total", COUNTER, "books", "settler", "books written to Redis"),
    Metric(
        "settler_server_up", GAUGE, "bool", "settler", "1 while the last call to this server succeeded", ("server",)
    ),
    Metric(
        "settler_round_seconds",
        HISTOGRAM,
        "seconds",
        "settler",
        "one round of comparing and filling",
        (),
        LATENCY_BUCKETS_S,
    ),
    Metric("settler_audit_lost_commands", GAUGE, "commands", "settler", "were in the ledger and are not any more"),
    Metric("settler_audit_repeated_trades", GAUGE, "trades", "settler", "ids that the ledger holds more than once"),
    Metric(
        "settler_audit_unbalanced_positions",
        GAUGE,
        "symbols",
        "settler",
        "whose positions in Redis, of all accounts together, are not zero",
    ),
    Metric(
        "settler_audit_crossed_books", GAUGE, "books", "settler", "in Redis, with a bid at or above an ask, not halted"
    ),
    Metric(
        "settler_log_lines_dropped_total",
        COUNTER,
        "lines",
        "settler",
        "log lines lost because the writer could not keep up",
    ),
)

LOG_EVENTS: tuple[LogEvent, ...] = (
    LogEvent("server_lost", "settler", "a server does not answer", ("server", "error")),
    LogEvent("server_back", "settler", "a server answers again", ("server",)),
    LogEvent("hole_filled", "settler", "results that the ledger lacked were inserted", ("first", "last", "count")),
    LogEvent(
        "session_ended",
        "settler",
        "an account was not heard of any more, its orders are cancelled",
        ("account", "session", "cancelled_lots"),
    ),
    LogEvent("projected", "settler", "sequence numbers that Redis lacked were applied", ("first", "last", "count")),
)
