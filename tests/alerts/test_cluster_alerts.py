"""A cluster with its own SNS: an alert posted to its Alertmanager ends in a gateway that a Lambda has restarted."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from deploy.cluster import Cluster
from target_system import signals
from tests.deploy import matrix
from tests.deploy.live import SMALL, fetch, until

pytestmark = pytest.mark.slow


def test_an_alert_restarts_a_hung_gateway_through_sns_and_lambda_and_leaves_its_audit(tmp_path: Path) -> None:
    topology = SMALL.with_overrides({"observability.sns": True, "observability.alertmanager": True})
    with Cluster.up(topology, tmp_path / "cluster") as cluster:
        before = next(part.pid for part in cluster.parts() if part.name == "gateway-1")
        labels = {"alertname": "GatewayHung", "severity": "page", "instance": "gateway-1"}
        request = urllib.request.Request(
            f"http://{cluster.address('alertmanager')}/api/v2/alerts",
            json.dumps([{"labels": labels}]).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=5).close()

        def told() -> bool:
            receipts = fetch(f"http://{cluster.address('subscribers')}/receipts")
            return {"http", "sqs", "lambda"} <= {receipt["channel"] for receipt in receipts}

        def restarted() -> bool:
            after = next(part for part in cluster.parts() if part.name == "gateway-1")
            return (after.state, after.pid == before) == ("up", False)

        until(told, "the page at HTTP, SQS and Lambda")
        until(restarted, "another gateway is up")
        file = cluster.logs / "remediation_audit.jsonl"
        until(lambda: file.exists() and file.read_text().endswith("\n"), "the audit of it")
        audit = [json.loads(line) for line in file.read_text().splitlines()]
        assert [(line["action"], line["target"], line["outcome"]) for line in audit] == [
            ("restart", "gateway-1", "done")
        ]
        exposed = frozenset(series for part in ("sns", "subscribers") for series in matrix.exposed(cluster, part))
        declared = (*signals.sns.METRICS, *signals.subscribers.METRICS)
        assert matrix.lacking(matrix.Arrived(exposed), declared) == []
