"""The remediation Lambda: SNS event in, allowed actions out. Runs in awslambdaric, with the standard library alone.

It asks the lab's narrow door (LAB_ACTIONS_URL) for what policy.py lists for each firing alert. What fails is paged over
the second channel (SECOND_CHANNEL_URL, PagerDuty's Events API), never over the SNS that it came from, and is raised, so
that Lambda tries again.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

from alerts.remediation.policy import REMEDIES, WHOLE
from alerts.subscribers.notice import Alert, alerts_of
from alerts.subscribers.pagerduty import event as pagerduty_event

CALL_DEADLINE_S = 8.0
"""A hung gateway takes some seconds to be restarted: it is asked to end first. Less than the function's own timeout."""


class RemediationFailed(Exception):
    """At least one alert's action was not done; the text names each."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    alerts = [
        alert
        for record in event.get("Records", [])
        for alert in alerts_of(record["Sns"]["Message"], record["Sns"].get("Subject") or "")
        if alert.is_firing and alert.severity == "page" and alert.name in REMEDIES
    ]
    outcomes, failures = {}, []
    for alert in alerts:
        try:
            outcomes[alert.fingerprint] = ask(alert)
        except OSError as error:
            failures.append(f"{alert.name}: {said_by(error)}")
            page(alert, failures[-1])
    if failures:
        raise RemediationFailed("; ".join(failures))
    return {"remediated": outcomes}


def ask(alert: Alert) -> str:
    """What the door answers: done, or done already. Raises OSError."""
    action = REMEDIES[alert.name]
    wanted = {
        "action": action.value,
        "target": alert.labels.get("instance") or WHOLE.get(action, ""),
        "fingerprint": alert.fingerprint,
        "started_at": alert.started_at,
    }
    return str(json.loads(post(os.environ["LAB_ACTIONS_URL"], wanted))["outcome"])


def page(alert: Alert, said: str) -> None:
    failed = Alert(
        name="RemediationFailed",
        status=alert.status,
        severity="page",
        summary=said,
        fingerprint=f"RemediationFailed/{alert.fingerprint}",
        labels={"instance": alert.labels.get("instance", ""), "remedied": alert.name},
    )
    post(os.environ["SECOND_CHANNEL_URL"], pagerduty_event(failed, os.environ["ROUTING_KEY"]))


def post(url: str, document: Any) -> bytes:
    request = urllib.request.Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=CALL_DEADLINE_S) as answer:
        return bytes(answer.read())


def said_by(error: OSError) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.read().decode(errors='replace')}"
    return repr(error)
