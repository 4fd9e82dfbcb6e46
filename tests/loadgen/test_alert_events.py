"""What alerts did becomes events of a run."""

from __future__ import annotations

import json
from typing import Any

from loadgen.alert_events import remedied, told

STARTED_NS = 1_795_258_694_500_000_000
LABELS = {"alertname": "GatewayHung", "instance": "gateway-1", "severity": "page"}


def receipt(status: str, arrived_ns: int, channel: str = "http") -> dict[str, Any]:
    alert = {"status": status, "labels": LABELS, "startsAt": "2026-11-21T10:58:14.500Z"}
    message = json.dumps({"status": status, "alerts": [alert]}, separators=(",", ":"))
    return {"channel": channel, "arrived_ns": arrived_ns, "message": message}


def test_a_page_is_an_event_when_it_fired_and_one_when_somebody_was_told_once_over_all_channels() -> None:
    receipts = [
        receipt("firing", STARTED_NS + 9, "sqs"),
        receipt("firing", STARTED_NS + 5),
        {"channel": "http", "arrived_ns": 1, "message": "no alert"},
        receipt("resolved", STARTED_NS + 7),
    ]
    assert [(e["t_ns"] - STARTED_NS, e["kind"], e["part"], e["said"]) for e in told(receipts)] == [
        (0, "fired", "gateway-1", "GatewayHung"),
        (5, "paged", "gateway-1", "GatewayHung"),
        (7, "resolved", "gateway-1", "GatewayHung"),
    ]


def test_a_line_of_the_audit_is_an_event() -> None:
    line = {"ts": 3, "action": "restart", "target": "gateway-1", "outcome": "done"}
    assert (remedied(line)["kind"], remedied(line)["said"]) == ("remedied", "restart: done")
