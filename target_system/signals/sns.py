"""What the SNS front says."""

from target_system.signals.kinds import COUNTER, GAUGE, LogEvent, Metric

METRICS: tuple[Metric, ...] = (
    Metric("sns_requests_total", COUNTER, "requests", "sns", "calls of its API", ("operation", "outcome")),
    Metric("sns_deliveries_total", COUNTER, "tries", "sns", "tries by how they ended", ("protocol", "outcome")),
    Metric("sns_deliveries_under_way", GAUGE, "deliveries", "sns", "accepted and not yet done, set aside or queued"),
    Metric("sns_log_lines_dropped_total", COUNTER, "lines", "sns", "log lines lost: the writer could not keep up"),
)

LOG_EVENTS: tuple[LogEvent, ...] = (
    LogEvent("refused", "sns", "a call was refused as AWS refuses it", ("operation", "code", "said")),
    LogEvent("alarm_action_failed", "sns", "what an alarm asked for was not done", ("alarm", "action", "said")),
    LogEvent(
        "delivery_lost",
        "sns",
        "a message did not reach a subscriber nor a dead-letter queue",
        ("subscription", "message_id", "tries"),
    ),
)
