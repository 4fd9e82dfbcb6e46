"""What a client and an observer see of the struck cluster."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from itertools import count

import httpx
import psutil

from deploy.cluster import Cluster, PartState

QUICK_S = 5.0
numbers = count(1)
http = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))
"""One, for it takes long to make; no connection is kept, for the faults break them."""


def order(
    cluster: Cluster, timeout_s: float = QUICK_S, part: str = "haproxy", account: int = 1, side: str = "buy"
) -> httpx.Response | None:
    """The answer, or None where none came."""
    keys = json.loads(cluster.secrets.api_keys.read_text())
    body = {
        "client_order_id": f"f{next(numbers)}", "symbol": "AAPL", "side": side, "type": "limit",
        "price_ticks": 1, "quantity_lots": 1,
    }  # fmt: skip
    with suppress(httpx.TransportError):
        url = f"http://{cluster.address(part)}/v1/orders"
        return http.post(url, json=body, headers={"X-API-Key": keys[str(account)]}, timeout=timeout_s)
    return None


def name_of(answer: httpx.Response) -> str:
    """The client order id of the order that was answered so."""
    return str(json.loads(answer.request.content)["client_order_id"])


def takes_orders(cluster: Cluster, part: str = "haproxy") -> bool:
    answer = order(cluster, part=part)
    return answer is not None and answer.status_code == 201


def fastest_ms(cluster: Cluster, tries: int = 5) -> float:
    """Of a few orders: what none of them escapes."""
    taken = []
    for _ in range(tries):
        began = time.monotonic()
        assert takes_orders(cluster)
        taken.append((time.monotonic() - began) * 1e3)
    return min(taken)


def state_of(cluster: Cluster, name: str) -> PartState:
    return next(part.state for part in cluster.parts() if part.name == name)


def pid_of(cluster: Cluster, name: str) -> int | None:
    return next(part.pid for part in cluster.parts() if part.name == name)


def is_running(cluster: Cluster, part: str) -> bool:
    return psutil.Process(pid_of(cluster, part)).status() != psutil.STATUS_STOPPED


def says(cluster: Cluster, part: str, metric: str) -> float:
    """The sum of a metric's series in what a part exposes."""
    lines = httpx.get(f"http://{cluster.address(part)}/metrics", timeout=QUICK_S).text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.split("{")[0].split()[0] == metric)


def a_trade(cluster: Cluster) -> None:
    assert takes_orders(cluster)
    answer = order(cluster, account=2, side="sell")
    assert answer is not None
    assert answer.json()["fills"]
