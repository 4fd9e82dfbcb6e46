"""Every log line of a gateway reaches Loki once, also when the collector dies; orders notice nothing of that."""

from __future__ import annotations

import json
import re
import signal
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from deploy.cluster import Cluster, PartState
from deploy.topology import Topology
from tests.deploy.live import fetch, until

ORDERS_A_PART = 150
STARTED_WITHIN_NS = 600 * 10**9
SHIPPING = (
    Topology()
    .path_alone()
    .with_overrides(
        {
            "observability.loki": True,
            "observability.collector": True,
            "limits.per_key_per_s": None,
            "gateways.trace_ratio": 1.0,
        }
    )
)
SPANS_DROPPED = re.compile(r"^gateway_spans_dropped_total (\S+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster.up(SHIPPING, tmp_path_factory.mktemp("shipping") / "cluster") as cluster:
        yield cluster


def place(cluster: Cluster, first: int, count: int) -> None:
    key = json.loads(cluster.secrets.api_keys.read_text())["1"]
    with httpx.Client(base_url=f"http://{cluster.address('haproxy')}", headers={"X-API-Key": key}) as client:
        for number in range(first, first + count):
            body = {"client_order_id": f"line-{number}", "symbol": "AAPL", "side": "buy", "type": "limit"}
            answer = client.post("/v1/orders", json=body | {"price_ticks": 1000, "quantity_lots": 1})
            assert answer.status_code == 201, answer.text


def written(cluster: Cluster) -> Counter[str]:
    return Counter((cluster.logs / "gateway-1.jsonl").read_text().splitlines())


def shipped(cluster: Cluster, since_ns: int) -> Counter[str]:
    asked = {"query": '{service_name="gateway"}', "start": since_ns, "end": time.time_ns(), "limit": 20_000}
    url = f"http://{cluster.address('loki')}/loki/api/v1/query_range?{urllib.parse.urlencode(asked)}"
    return Counter(line for stream in fetch(url)["data"]["result"] for _, line in stream["values"])


def state_of(cluster: Cluster, name: str) -> PartState:
    return next(part.state for part in cluster.parts() if part.name == name)


def spans_dropped(cluster: Cluster) -> float:
    found = SPANS_DROPPED.search(httpx.get(f"http://{cluster.address('gateway-1')}/metrics").text)
    assert found is not None
    return float(found[1])


def test_every_line_reaches_loki_once_though_the_collector_dies_in_between(cluster: Cluster) -> None:
    since_ns = time.time_ns() - STARTED_WITHIN_NS
    place(cluster, 0, ORDERS_A_PART)
    until(lambda: len(shipped(cluster, since_ns)) > ORDERS_A_PART // 2, "the collector reads on")
    cluster.signal("collector", signal.SIGKILL)
    place(cluster, ORDERS_A_PART, ORDERS_A_PART)
    until(lambda: state_of(cluster, "collector") is PartState.UP, "the collector is restarted")
    until(lambda: written(cluster).total() > 2 * ORDERS_A_PART, "the gateway has written its lines")
    until(lambda: not written(cluster) - shipped(cluster, since_ns), "every line is in Loki")
    assert shipped(cluster, since_ns) == written(cluster)


def test_orders_are_acknowledged_while_collector_and_loki_are_away_and_only_spans_are_lost_and_counted(
    cluster: Cluster,
) -> None:
    since_ns, before = time.time_ns() - STARTED_WITHIN_NS, spans_dropped(cluster)
    for part in ("collector", "loki"):
        cluster.signal(part, signal.SIGSTOP)
    try:
        place(cluster, 1_000, ORDERS_A_PART)
        until(lambda: spans_dropped(cluster) > before, "what the collector did not take is counted")
        place(cluster, 2_000, ORDERS_A_PART)
    finally:
        for part in ("collector", "loki"):
            cluster.signal(part, signal.SIGCONT)
    until(lambda: not written(cluster) - shipped(cluster, since_ns), "every line is in Loki")
    assert shipped(cluster, since_ns) == written(cluster)
