"""What alerts did while a cluster was under load, as events of the run: fired, paged or ticketed, remedied, resolved.

Asked of who was told (the subscribers' receipts by HTTP) and of the remediation's audit; nothing where no SNS runs.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from deploy.cluster import Cluster

ASK_DEADLINE_S = 5.0
TOLD = {"page": "paged", "ticket": "ticketed"}
AUDIT = "remediation_audit.jsonl"


def alert_events(cluster: Cluster, since_ns: int) -> list[dict[str, Any]]:
    """Since a moment of the wall clock; `part` is the alert's instance."""
    if not cluster.topology.observability.sns:
        return []
    receipts = []
    with contextlib.suppress(OSError):  # the subscribers may be what a fault has struck; a run is sealed all the same
        url = f"http://{cluster.address('subscribers')}/receipts?after=0"
        with urllib.request.urlopen(url, timeout=ASK_DEADLINE_S) as answer:
            receipts = json.load(answer)
    audit = cluster.logs / AUDIT
    done = audit.read_text().splitlines() if audit.exists() else []
    found = [*told(receipts), *map(remedied, map(json.loads, done))]
    return [event for event in found if event["t_ns"] >= since_ns]


def told(receipts: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Two events when an alert begins (the rule fired, somebody was told) and one when it ends."""
    for receipt in receipts:
        if receipt["channel"] != "http" or not receipt["message"].startswith('{"status"'):
            continue  # the same by another channel, or no alert of Alertmanager's (deploy/observability/sns.tmpl)
        for alert in json.loads(receipt["message"])["alerts"]:
            labels = alert["labels"]
            part, name = labels.get("instance", "cluster"), labels["alertname"]
            if alert["status"] == "firing":
                began_ns = round(datetime.fromisoformat(alert["startsAt"]).timestamp() * 1e9)
                yield _event(began_ns, "fired", part, name)
                yield _event(receipt["arrived_ns"], TOLD.get(labels.get("severity", ""), "told"), part, name)
            else:
                yield _event(receipt["arrived_ns"], "resolved", part, name)


def remedied(line: dict[str, Any]) -> dict[str, Any]:
    return _event(line["ts"], "remedied", line["target"], f"{line['action']}: {line['outcome']}")


def _event(t_ns: int, kind: str, part: str, said: str) -> dict[str, Any]:
    return {"t_ns": t_ns, "kind": kind, "part": part, "said": said, "log_end": ""}
