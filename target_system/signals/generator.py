"""What the load generator says of itself, and of the orders it sent."""

from target_system.signals.kinds import COUNTER, GAUGE, Metric, Span

_PART = ("component", "instance")

METRICS: tuple[Metric, ...] = (
    Metric("generator_offered_total", COUNTER, "requests", "generator", "requests that were due", _PART),
    Metric("generator_sent_total", COUNTER, "requests", "generator", "requests that were sent", _PART),
    Metric(
        "generator_ended_total",
        COUNTER,
        "requests",
        "generator",
        "requests by how they ended: ok, refused, reset, timeout, unsent, http_429 ...",
        (*_PART, "outcome"),
    ),
    Metric("generator_in_flight", GAUGE, "requests", "generator", "requests without an answer", _PART),
    Metric(
        "generator_lag_seconds",
        GAUGE,
        "seconds",
        "generator",
        "for how long the oldest request that is due has waited to be sent (open loop)",
        _PART,
    ),
    Metric(
        "generator_schedule_error_p99_seconds",
        GAUGE,
        "seconds",
        "generator",
        "in the last second, how late requests went out by the generator's own fault",
        _PART,
    ),
    Metric(
        "generator_wake_lag_p99_seconds",
        GAUGE,
        "seconds",
        "generator",
        "in the last second, how late a sleeper was woken",
        _PART,
    ),
    Metric(
        "generator_latency_seconds",
        GAUGE,
        "seconds",
        "generator",
        "in the last second, p50 and p99 of ok answers from the intended send time",
        (*_PART, "quantile"),
    ),
)

SPANS: tuple[Span, ...] = (
    Span("client", "generator", "an order as its client sees it, from the intended send time to the answer"),
    Span("client.late", "generator", "of it, until the request was really sent"),
)
