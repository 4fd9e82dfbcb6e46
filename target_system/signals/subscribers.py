"""What the subscribers of the alert topics say."""

from target_system.signals.kinds import COUNTER, GAUGE, LogEvent, Metric

METRICS: tuple[Metric, ...] = (
    Metric("subscribers_receipts_total", COUNTER, "messages", "subscribers", "arrived, by channel", ("channel",)),
    Metric("subscribers_receipts_kept", GAUGE, "messages", "subscribers", "that can still be asked for"),
    Metric("subscribers_events_waiting", GAUGE, "events", "subscribers", "accepted by Lambda and not yet run"),
    Metric("subscribers_remediations_failed_total", COUNTER, "events", "subscribers", "tries that failed"),
    Metric("subscribers_letters_waiting", GAUGE, "letters", "subscribers", "on their way to Slack or PagerDuty"),
    Metric("subscribers_letters_lost_total", COUNTER, "letters", "subscribers", "that Slack or PagerDuty did not take"),
    Metric("subscribers_ends_kept", GAUGE, "alerts", "subscribers", "ends not believed yet: the dead-man was up"),
    Metric("subscribers_dead_man_armed", GAUGE, "bool", "subscribers", "1 once the dead-man has heard a Watchdog"),
    Metric(
        "subscribers_log_lines_dropped_total",
        COUNTER,
        "lines",
        "subscribers",
        "log lines lost: the writer could not keep up",
    ),
)

LOG_EVENTS: tuple[LogEvent, ...] = (
    LogEvent(
        "resolved_vetoed",
        "subscribers",
        "an alert's end was not believed yet: no fresh figures",
        ("alert", "fingerprint"),
    ),
    LogEvent("letter_lost", "subscribers", "Slack or PagerDuty did not take a message", ("url", "said")),
)
