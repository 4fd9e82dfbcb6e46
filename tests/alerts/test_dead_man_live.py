"""Who watches dies: the dead-man pages past Alertmanager and SNS, and a false RESOLVED reaches no person."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.alertmanager import Alertmanager, alerts_in
from tests.alerts.oracle.aws import until
from tests.alerts.stand import Stand, a_stand

pytestmark = pytest.mark.slow
WATCHDOG = {"alertname": "Watchdog", "severity": "none", "role": "watchdog"}
TROUBLE = {"alertname": "Trouble", "severity": "page"}
DIES_S, DEADLINE_S = 13.0, 30.0


def events(stand: Stand, key: str) -> list[str]:
    """What PagerDuty was told under this key: trigger, resolve."""
    letters: list[dict[str, Any]] = [json.loads(r["message"]) for r in stand.receipts() if r["channel"] == "pagerduty"]
    return [letter["event_action"] for letter in letters if key in json.dumps(letter)]


def test_a_dead_prometheus_pages_and_its_false_resolved_is_not_believed(tmp_path: Path) -> None:
    with a_stand(tmp_path) as stand:
        stand.start_subscribers()
        alertmanager = Alertmanager.start(stand)
        alertmanager.post(WATCHDOG, ends_in_s=DIES_S, data_at=f"{time.time():.3f}")
        alertmanager.post(TROUBLE, ends_in_s=DIES_S)
        until(lambda: events(stand, "Trouble") == ["trigger"], "the page")
        until(lambda: events(stand, "DeadMan/") == ["trigger"], "the dead-man's page", DEADLINE_S)
        until(lambda: ("resolved", "Trouble") in alerts_in(stand.receipts(), "http"), "the false end", DEADLINE_S)
        assert [r for r in stand.receipts() if r["channel"] == "pagerduty" and '"resolve"' in r["message"]] == []

        alertmanager.post(WATCHDOG, data_at=f"{time.time():.3f}")
        until(lambda: events(stand, "DeadMan/") == ["trigger", "resolve"], "it is taken back", DEADLINE_S)
        stand.kill("alertmanager")
        until(lambda: events(stand, "DeadMan/")[2:] == ["trigger"], "a dead Alertmanager pages as well", DEADLINE_S)
