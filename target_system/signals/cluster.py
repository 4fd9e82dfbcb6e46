"""What the supervisor of a cluster says of the parts it keeps."""

from target_system.signals.kinds import COUNTER, GAUGE, LogEvent, Metric

_PART = ("component", "instance")

METRICS: tuple[Metric, ...] = (
    Metric("cluster_up", GAUGE, "bool", "cluster", "1 while the part answers", _PART),
    Metric(
        "cluster_cpu_seconds_total", COUNTER, "seconds", "cluster", "CPU that the part and its children used", _PART
    ),
    Metric("cluster_cpu_quota_cores", GAUGE, "cores", "cluster", "CPU quota; absent where there is none", _PART),
    Metric("cluster_cpu_periods_total", COUNTER, "periods", "cluster", "quota periods in which the part ran", _PART),
    Metric(
        "cluster_cpu_throttled_periods_total", COUNTER, "periods", "cluster", "of these, with the quota used up", _PART
    ),
    Metric("cluster_cpu_throttled_seconds_total", COUNTER, "seconds", "cluster", "time stopped by the quota", _PART),
    Metric(
        "cluster_run_queue_seconds_total",
        COUNTER,
        "seconds",
        "cluster",
        "time its threads were ready to run and no core was free",
        _PART,
    ),
    Metric(
        "cluster_asked_total",
        COUNTER,
        "questions",
        "cluster",
        "the supervisor asked it directly whether it lives",
        _PART,
    ),
    Metric(
        "cluster_answer_seconds_total",
        COUNTER,
        "seconds",
        "cluster",
        "time until it answered that; a silence counts up to its deadline",
        _PART,
    ),
    Metric("cluster_memory_bytes", GAUGE, "bytes", "cluster", "resident memory, what is shared counted once", _PART),
    Metric("cluster_restarts_total", COUNTER, "restarts", "cluster", "restarts after a death", _PART),
    Metric("cluster_host_cores", GAUGE, "cores", "cluster", "cores of the machine that the lab may use"),
    Metric(
        "cluster_host_cpu_seconds_total",
        COUNTER,
        "seconds",
        "cluster",
        "cores that the lab may use: busy, idle or stolen",
        ("mode",),
    ),
)

LOG_EVENTS: tuple[LogEvent, ...] = (
    LogEvent("died", "cluster", "a part ended without being asked to", ("part", "said", "log_end")),
    LogEvent("restarted", "cluster", "a part answers again", ("part", "said")),
    LogEvent("given_up", "cluster", "a part died too often and stays down", ("part", "said", "log_end")),
)
