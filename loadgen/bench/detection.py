"""How soon Prometheus shows that a gateway has become slow: steps of latency planted in a live cluster under load.

A step is `latency` on the gateway's link to the ledger. It counts as seen when the gateway's mean latency over its last
scrapes, asked of Prometheus again and again, has climbed past the calm by half of the step. The time runs from before
the fault is asked for until that answer is there, so it holds the fault's own start, the scrape, and the question.

The calm is the lowest mean so far: another process that holds the machine while the calm is measured raises every other
measure of it, and then the step stays below what was to be passed for ever.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np

from deploy.cluster import Cluster
from deploy.faults.network import Latency
from loadgen.campaign import Campaign
from loadgen.steady import steady_load

Say = Callable[[str], None]

GOAL_S = 1.0
STEP_MS = 50
WINDOW_MS = 600
"""Two scrapes at least, at four a second."""
MEAN = "max by (instance) (rate(gateway_request_seconds_sum[{0}ms]) / rate(gateway_request_seconds_count[{0}ms]))"
POLL_S = 0.02
PHASE_MAX_S = 1.0
"""Steps must not march in time with the scrapes."""
SETTLE_S = 2.0
"""The first orders of a load are slower."""
DEADLINE_S = 30.0
CAMPAIGN = Campaign.model_validate({
    "name": "detection", "title": "Steps of latency", "topology": "unbounded",
    "overrides": {"gateways": 1, "links": ["gateway-ledger"]},
    "load": {"users": 16, "think_time_s": 0.02, "warm_up_s": 0, "duration_s": 3600, "timeout_s": 5},
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Delays:
    """Of each step, in seconds; one that was not seen within the deadline counts as endless."""

    seconds: Sequence[float]

    @property
    def is_within_goal(self) -> bool:
        return self.quantile_s(0.95) <= GOAL_S

    def quantile_s(self, share: float) -> float:
        return float(np.quantile(self.seconds, share, method="inverted_cdf"))

    def document(self) -> dict[str, Any]:
        figures = {"p50_s": self.quantile_s(0.5), "p95_s": self.quantile_s(0.95), "max_s": max(self.seconds)}
        return {
            "steps": len(self.seconds), "unseen": sum(map(math.isinf, self.seconds)),
            **{name: None if math.isinf(value) else round(value, 3) for name, value in figures.items()},
            "goal_p95_s": GOAL_S, "step_ms": STEP_MS, "window_ms": WINDOW_MS,
        }  # fmt: skip


def measure(steps: int, directory: Path, say: Say) -> Delays:
    """On a cluster of its own. Raises ClusterError, GeneratorError, FaultError."""
    say("starting a cluster and loading it")
    with Cluster.up(CAMPAIGN.plan()[0].topology, directory) as cluster, TemporaryDirectory() as folder:
        cluster.await_scraped()
        return planted(cluster, steps, Path(folder), say)


def planted(cluster: Cluster, steps: int, scratch: Path, say: Say) -> Delays:
    """Under load, one step after the other, each when the calm before is seen again."""
    draw = random.Random(CAMPAIGN.seed)
    found: list[float] = []
    with (
        steady_load(cluster, CAMPAIGN, "detection", scratch / "receipts", scratch / "log"),
        httpx.Client(base_url=f"http://{cluster.address('prometheus')}", trust_env=False) as client,
    ):
        means = Means(client)
        settled = time.monotonic() + SETTLE_S
        while len(found) < steps:
            _until(lambda: means.is_calm() and time.monotonic() > settled)
            time.sleep(draw.uniform(0, PHASE_MAX_S))
            found.append(_delay_s(cluster, means))
            say(f"step {len(found)} of {steps}: seen after {found[-1]:.3f} s")
    return Delays(found)


class Means:
    """What Prometheus says of the slowest gateway, and the calm: the lowest that it said."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._calm_s = math.inf

    def now_s(self) -> float | None:
        """None where Prometheus has no two scrapes with orders between them."""
        answer = self._client.get("/api/v1/query", params={"query": MEAN.format(WINDOW_MS)}).raise_for_status().json()
        values = [float(series["value"][1]) for series in answer["data"]["result"]]
        mean_s = max((value for value in values if value == value), default=None)
        self._calm_s = min(self._calm_s, math.inf if mean_s is None else mean_s)
        return mean_s

    def is_calm(self) -> bool:
        mean_s = self.now_s()
        return mean_s is not None and mean_s <= self._calm_s + STEP_MS / 2000

    def is_slow(self) -> bool:
        mean_s = self.now_s()
        return mean_s is not None and mean_s > self._calm_s + STEP_MS / 2000


def _delay_s(cluster: Cluster, means: Means) -> float:
    began = time.monotonic()
    with Latency(link="gateway-ledger", latency_ms=STEP_MS).applied(cluster):
        return time.monotonic() - began if _until(means.is_slow) else math.inf


def _until(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
