"""What an SNS message says to people: alerts of Alertmanager, the state of a CloudWatch alarm, or plain text.

Alertmanager's message is the JSON that deploy/observability/sns.tmpl writes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    name: str
    status: Status
    severity: str
    summary: str
    fingerprint: str
    """The same for all messages about one trouble, also when it is resolved."""
    started_at: str = ""
    runbook: str = ""
    data_at: str = ""
    """Of the Watchdog: when the freshest figures were taken, seconds since 1970."""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_firing(self) -> bool:
        return self.status is Status.FIRING


def alerts_of(text: str, subject: str = "") -> list[Alert]:
    """At least one: what is no JSON that we know is itself the summary."""
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if isinstance(document, dict) and isinstance(document.get("alerts"), list):
        return [_of_alertmanager(each) for each in document["alerts"]]
    if isinstance(document, dict) and "AlarmName" in document:
        return [_of_cloudwatch(document)]
    return [Alert(subject or "Notification", Status.FIRING, "warning", text[:1_000], subject or text[:100])]


def _of_alertmanager(given: Mapping[str, Any]) -> Alert:
    labels, annotations = given.get("labels", {}), given.get("annotations", {})
    name = labels.get("alertname", "unnamed")
    return Alert(
        name=name,
        status=Status(given.get("status", Status.FIRING)),
        severity=labels.get("severity", "warning"),
        summary=annotations.get("summary", name),
        fingerprint=given.get("fingerprint", name),
        started_at=given.get("startsAt", ""),
        runbook=annotations.get("runbook_url", ""),
        data_at=annotations.get("data_at", ""),
        labels=labels,
    )


def _of_cloudwatch(given: Mapping[str, Any]) -> Alert:
    firing = given.get("NewStateValue") == "ALARM"
    return Alert(
        name=given["AlarmName"],
        status=Status.FIRING if firing else Status.RESOLVED,
        severity="page",
        summary=str(given.get("AlarmDescription") or given.get("NewStateReason", "")),
        fingerprint=str(given.get("AlarmArn", given["AlarmName"])),
        started_at=str(given.get("StateChangeTime", "")),
        labels={"region": str(given.get("Region", ""))},
    )
