"""The real Alertmanager with the lab's own configuration, before a stand's SNS."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerts.subscribers.webhooks import PAGERDUTY_PATH
from deploy.local.plan_beside import OBSERVABILITY
from deploy.render import render
from tests.alerts.stand import ACCOUNT, KEY, REGION, SECRET, Stand
from tests.servers import free_port

OWN_SUBJECT = """'{{ template "lab.subject" . }}'"""
DEFAULT_SUBJECT = """'{{ template "sns.default.subject" . }}'"""


@dataclass
class Alertmanager:
    stand: Stand
    port: int

    @classmethod
    def start(cls, stand: Stand, name: str = "alertmanager", subject: str = OWN_SUBJECT) -> Alertmanager:
        port, config = free_port(), stand.folder / f"{name}.yml"
        text = render(
            "observability/alertmanager.yml",
            sns_url=stand.url,
            topics=f"arn:aws:sns:{REGION}:{ACCOUNT}",
            region=REGION,
            access_key=KEY,
            secret_key=SECRET,
            messages=OBSERVABILITY / "sns.tmpl",
            pagerduty_url=f"{stand.subscribers_url}{PAGERDUTY_PATH}",
            routing_key="0" * 32,
        )
        assert OWN_SUBJECT in text
        config.write_text(text.replace(OWN_SUBJECT, subject))
        command = [
            "/usr/bin/prometheus-alertmanager", f"--config.file={config}", f"--storage.path={stand.folder / name}",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
        ]  # fmt: skip
        stand.start(name, command, {}, f"http://127.0.0.1:{port}/-/ready")
        return cls(stand, port)

    def post(self, *alerts: dict[str, str], ends_in_s: float | None = None, **annotations: str) -> None:
        """Alerts by their labels. `ends_in_s`: resolved ones ended a second ago; Prometheus says four resend delays."""
        ends_s = None if ends_in_s is None else time.time() + ends_in_s
        ended = {"endsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends_s))} if ends_s else {}
        told = {"summary": "a test", **annotations}
        body = [{"labels": labels, "annotations": told, **ended} for labels in alerts]
        url, kind = f"http://127.0.0.1:{self.port}/api/v2/alerts", {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), kind), timeout=5) as answer:
            assert answer.status == 200


def log_of(stand: Stand, name: str) -> str:
    return Path(stand.folder / f"{name}.log").read_text()


def alerts_in(receipts: list[dict[str, Any]], channel: str) -> list[tuple[str, str]]:
    """Status and name of each alert that the channel got, in order."""
    return [
        (alert["status"], alert["labels"]["alertname"])
        for receipt in receipts
        if receipt["channel"] == channel
        for alert in json.loads(receipt["message"]).get("alerts", [])
    ]
