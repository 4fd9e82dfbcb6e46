"""A Slack message for alerts: an incoming webhook's payload in Block Kit, within Slack's limits.

https://docs.slack.dev/reference/block-kit/blocks and /messaging/sending-messages-using-incoming-webhooks; the same as a
JSON schema in schemas/slack.json.
"""

from __future__ import annotations

from typing import Any

from alerts.subscribers.notice import Alert

HEADER_MAX, TEXT_MAX, FIELD_MAX, FIELDS_MAX, ATTACHMENTS_MAX = 150, 3_000, 2_000, 10, 20
COLOURS = {"page": "#d40e0d", "critical": "#d40e0d", "ticket": "#e8a317", "warning": "#e8a317"}
RESOLVED = "#2eb67d"


def payload(alerts: list[Alert]) -> dict[str, Any]:
    shown, left = alerts[:ATTACHMENTS_MAX], len(alerts) - ATTACHMENTS_MAX
    more = f" and {left} more" if left > 0 else ""
    line = ", ".join(f"{alert.status.upper()}: {alert.name}" for alert in shown[:3])
    return {"text": escaped(f"{line}{more}")[:TEXT_MAX], "attachments": [attachment(alert) for alert in shown]}


def attachment(alert: Alert) -> dict[str, Any]:
    title = f"{alert.status.upper()}: {alert.name}"[:HEADER_MAX]
    fields = [f"*{escaped(name)}*\n{escaped(value) or '-'}" for name, value in sorted(alert.labels.items())]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title}},
        {"type": "section", "text": {"type": "mrkdwn", "text": escaped(alert.summary)[:TEXT_MAX] or "-"}},
    ]
    if fields:
        markdown = [{"type": "mrkdwn", "text": field[:FIELD_MAX]} for field in fields[:FIELDS_MAX]]
        blocks.append({"type": "section", "fields": markdown})
    if alert.runbook.startswith("http"):  # else it is a path within the repository
        link = {"type": "mrkdwn", "text": f"<{alert.runbook}|Runbook>"[:TEXT_MAX]}
        blocks.append({"type": "context", "elements": [link]})
    return {"color": COLOURS.get(alert.severity, "#36c5f0") if alert.is_firing else RESOLVED, "blocks": blocks}


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
