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
ENGINE: tuple[Metric, ...] = ()
CLUSTER: tuple[Metric, ...] = ()
GENERATOR: tuple[Metric, ...] = ()
EXPORTERS: tuple[Metric, ...] = ()
"""What Debian's exporters and HAProxy say and the lab reads; only these are kept in a run's record."""

METRICS: dict[str, Metric] = {
    metric.name: metric for block in (GATEWAY, SETTLER, ENGINE, CLUSTER, GENERATOR, EXPORTERS) for metric in block
}

_LOG_EVENTS = (
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
