"""Where the front differs from a recording, and why that does not matter. Read by the test, and by people."""

from __future__ import annotations

JUSTIFIED = {
    "test_sns.py::TestSNSPublishDelivery::test_delivery_lambda": (
        "AWS logs deliveries to CloudWatch Logs where a topic's feedback role says so. There are none here;"
        " the front counts deliveries in sns_deliveries_total, and a drill asks the subscribers themselves."
    ),
    "test_cloudwatch.py::TestCloudwatch::test_breaching_alarm_actions[json]": (
        "Recorded before AWS added ActionExecutedAfterMuteWindow to the message; the newest recording"
        " (test_put_metric_alarm) has it, and so has the message here."
    ),
    "test_cloudwatch.py::TestCloudwatch::test_enable_disable_alarm_actions[json]": (
        "As test_breaching_alarm_actions: recorded before ActionExecutedAfterMuteWindow."
    ),
}
"""Recording → reason."""
