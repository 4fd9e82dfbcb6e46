"""PagerDuty events for alerts: one event each, of the Events API v2; an alert and its end share a deduplication key.

https://developer.pagerduty.com/docs/events-api-v2/trigger-events; the same as a JSON schema in schemas/pagerduty.json.
"""

from __future__ import annotations

from typing import Any

from alerts.subscribers.notice import Alert

SUMMARY_MAX, KEY_MAX = 1_024, 255
SEVERITIES = {"page": "critical", "critical": "critical", "ticket": "warning", "warning": "warning", "info": "info"}


def event(alert: Alert, routing_key: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "trigger" if alert.is_firing else "resolve",
        "dedup_key": alert.fingerprint[:KEY_MAX],
    }
    if not alert.is_firing:
        return document
    body: dict[str, Any] = {
        "summary": f"{alert.name}: {alert.summary}"[:SUMMARY_MAX],
        "source": alert.labels.get("instance") or alert.labels.get("component") or "trading-lab",
        "severity": SEVERITIES.get(alert.severity, "error"),
        "class": alert.name,
        "custom_details": dict(alert.labels),
    }
    if alert.started_at:
        body["timestamp"] = alert.started_at
    if "component" in alert.labels:
        body["component"] = alert.labels["component"]
    document["payload"] = body
    if alert.runbook.startswith("http"):  # else it is a path within the repository
        document["links"] = [{"href": alert.runbook, "text": "Runbook"}]
    return document
