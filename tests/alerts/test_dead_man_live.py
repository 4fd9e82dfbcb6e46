"""Who watches dies: the dead-man pages past Alertmanager and SNS, and a false RESOLVED reaches no person."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.local.rules import RULES
from tests.alerts.alertmanager import Alertmanager, alerts_in
from tests.alerts.oracle.aws import until
from tests.alerts.stand import Stand, a_stand
from tests.servers import free_port

pytestmark = pytest.mark.slow
TROUBLE = {"alert": "Trouble", "expr": "vector(1)", "labels": {"severity": "page"}}
DEADLINE_S = 40.0
"""Alertmanager holds for resolved what Prometheus has not repeated for four resend delays: 20 s."""


def events(stand: Stand, key: str) -> list[str]:
    """What PagerDuty was told under this key: trigger, resolve."""
    letters: list[dict[str, Any]] = [json.loads(r["message"]) for r in stand.receipts() if r["channel"] == "pagerduty"]
    return [letter["event_action"] for letter in letters if key in json.dumps(letter)]


def is_armed(stand: Stand) -> bool:
    """Who dies before the dead-man has ever heard of it, dies unnoticed."""
    return "subscribers_dead_man_armed 1.0" in httpx.get(f"{stand.subscribers_url}/metrics").text


def ends_kept(stand: Stand) -> int:
    exposed = httpx.get(f"{stand.subscribers_url}/metrics").text
    return int(float(exposed.partition("\nsubscribers_ends_kept ")[2].partition("\n")[0]))


def start_prometheus(stand: Stand, alertmanager: Alertmanager, port: int) -> None:
    """The real one, with the lab's own Watchdog and resend delay; it scrapes itself."""
    rules = stand.folder / "rules.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "trouble", "rules": [TROUBLE]}]}))
    document = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules), str(RULES / "Watchdog.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager.port}"]}]}]},
        "scrape_configs": [{"job_name": "own", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
    }
    config = stand.folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(document))
    command = [
        "/usr/bin/prometheus", f"--config.file={config}", f"--storage.tsdb.path={stand.folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=5s",
    ]  # fmt: skip
    stand.start("prometheus", command, {}, f"http://127.0.0.1:{port}/-/ready")


def test_a_dead_prometheus_pages_and_its_false_resolved_is_not_believed_and_so_does_a_frozen_alertmanager(
    tmp_path: Path,
) -> None:
    with a_stand(tmp_path) as stand:
        stand.start_subscribers()
        alertmanager, port = Alertmanager.start(stand), free_port()
        start_prometheus(stand, alertmanager, port)
        until(lambda: events(stand, "Trouble") == ["trigger"], "the page")
        until(lambda: is_armed(stand), "the first Watchdog")
        assert events(stand, "DeadMan/") == []
        stand.kill("prometheus")
        until(lambda: events(stand, "DeadMan/") == ["trigger"], "the dead-man's page", DEADLINE_S)
        until(lambda: ("resolved", "Trouble") in alerts_in(stand.receipts(), "http"), "the false end", DEADLINE_S)
        assert [r for r in stand.receipts() if r["channel"] == "pagerduty" and '"resolve"' in r["message"]] == []
        assert ends_kept(stand) == 1

        start_prometheus(stand, alertmanager, port)
        until(lambda: events(stand, "DeadMan/") == ["trigger", "resolve"], "it is taken back", DEADLINE_S)
        until(lambda: events(stand, "Trouble") == ["trigger", "trigger"], "the trouble is told again", DEADLINE_S)
        assert ends_kept(stand) == 0
        os.kill(stand.processes["alertmanager"].pid, signal.SIGSTOP)
        until(lambda: events(stand, "DeadMan/")[2:] == ["trigger"], "a frozen Alertmanager pages as well", DEADLINE_S)
        os.kill(stand.processes["alertmanager"].pid, signal.SIGCONT)
        until(lambda: events(stand, "DeadMan/")[3:] == ["resolve"], "it is taken back as well", DEADLINE_S)
