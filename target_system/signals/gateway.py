"""What a gateway says; `started`, `stopping` and `stopped` are everybody's log events."""

from target_system.signals.kinds import COUNTER, GAUGE, HISTOGRAM, LATENCY_BUCKETS_S, LogEvent, Metric, Span

CHECK_BUCKETS_S = (2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, *LATENCY_BUCKETS_S)

METRICS: tuple[Metric, ...] = (
    Metric(
        "gateway_request_seconds",
        HISTOGRAM,
        "seconds",
        "gateway",
        "from the request's head to its answer",
        ("endpoint", "outcome"),
        LATENCY_BUCKETS_S,
    ),
    Metric(
        "gateway_stage_seconds",
        HISTOGRAM,
        "seconds",
        "gateway",
        "one stage of an order or a cancel: validate, engine, ledger, publish",
        ("stage",),
        LATENCY_BUCKETS_S,
    ),
    Metric(
        "gateway_orders_in_flight", GAUGE, "orders", "gateway", "orders and cancels accepted for work, not yet answered"
    ),
    Metric(
        "gateway_event_loop_lag_seconds",
        GAUGE,
        "seconds",
        "gateway",
        "worst lateness of a 20 ms timer in the last second",
    ),
    Metric(
        "gateway_engine_batch_commands",
        HISTOGRAM,
        "commands",
        "gateway",
        "commands sent to the engine in one message",
        (),
        (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256),
    ),
    Metric("gateway_clock_seconds", GAUGE, "seconds", "gateway", "its time of day when it was asked, since 1970"),
    Metric("gateway_engine_connected", GAUGE, "bool", "gateway", "1 while the stream to the engine is up"),
    Metric(
        "gateway_engine_streams_total",
        COUNTER,
        "streams",
        "gateway",
        "streams opened to the engine; more than one means reconnects",
    ),
    Metric(
        "gateway_ledger_wait_seconds",
        HISTOGRAM,
        "seconds",
        "gateway",
        "an order's wait until a ledger connection took it",
        (),
        LATENCY_BUCKETS_S,
    ),
    Metric("gateway_ledger_waiters", GAUGE, "orders", "gateway", "orders waiting for a ledger connection", ("shard",)),
    Metric(
        "gateway_ledger_connections",
        GAUGE,
        "connections",
        "gateway",
        "open connections to the ledger",
        ("shard", "state"),
    ),
    Metric(
        "gateway_ledger_retries_total", COUNTER, "statements", "gateway", "inserts repeated after a lost connection"
    ),
    Metric(
        "gateway_projection_batch_commands",
        HISTOGRAM,
        "commands",
        "gateway",
        "commands applied to Redis in one call",
        (),
        (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256),
    ),
    Metric(
        "gateway_projection_skipped_total",
        COUNTER,
        "orders",
        "gateway",
        "orders answered before Redis had them; the settler applies them",
    ),
    Metric(
        "gateway_risk_check_seconds",
        HISTOGRAM,
        "seconds",
        "gateway",
        "asking the risk rules and the portfolio about one order",
        (),
        CHECK_BUCKETS_S,
    ),
    Metric("gateway_risk_refusals_total", COUNTER, "orders", "gateway", "orders that a risk rule refused", ("reason",)),
    Metric(
        "gateway_risk_followed_sequence",
        GAUGE,
        "commands",
        "gateway",
        "the engine's results up to here are in this gateway's view of positions and open orders",
    ),
    Metric(
        "gateway_log_lines_dropped_total",
        COUNTER,
        "lines",
        "gateway",
        "log lines lost because the writer could not keep up",
    ),
    Metric(
        "gateway_spans_dropped_total", COUNTER, "spans", "gateway", "spans lost because the collector is away or slow"
    ),
)

LOG_EVENTS: tuple[LogEvent, ...] = (
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
    LogEvent(
        "risk_lagging", "gateway", "positions and open orders cannot be followed, or not be kept, now", ("error",)
    ),
    LogEvent("redis_back", "gateway", "Redis answers again"),
    LogEvent("failed", "gateway", "a request met an error that nobody foresaw", ("endpoint", "error", "traceback")),
)

SPANS: tuple[Span, ...] = (
    Span("order", "gateway", "an order or cancel, from the request's head to its answer"),
    Span("validate", "gateway", "authentication, validation, risk"),
    Span("engine", "gateway", "from the queue of the stream to the result"),
    Span("ledger", "gateway", "from the wait for a connection to the commit"),
    Span("ledger.queued", "gateway", "of it, the wait for a connection"),
    Span("ledger.commit", "gateway", "of it, the statement and its commit"),
    Span("publish", "gateway", "waiting for Redis, bounded by its deadline"),
)
