"""What the sampler of Postgres's wait events says; one process a shard."""

from target_system.signals.kinds import COUNTER, Metric

METRICS: tuple[Metric, ...] = (
    Metric("ledger_wait_ticks_total", COUNTER, "ticks", "wait_sampler", "looks at the sessions of a ledger"),
    Metric(
        "ledger_wait_samples_total",
        COUNTER,
        "sessions",
        "wait_sampler",
        "sessions found at work at all looks, by what they waited for; over the ticks: average active sessions",
        ("type", "event"),
    ),
    Metric("ledger_wait_sampler_lost_total", COUNTER, "connections", "wait_sampler", "connections lost or refused"),
)
