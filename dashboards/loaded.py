"""A cluster under load, for those who look at boards: the one that is up, else one of its own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.cluster import Cluster
from deploy.local.control import Say
from loadgen.campaign import Campaign
from loadgen.steady import steady_load

CAMPAIGN = Campaign.model_validate({
    "name": "boards", "title": "A steady load to look at", "topology": "local",
    "load": {"users": 32, "think_time_s": 0.04, "warm_up_s": 0, "duration_s": 3600, "timeout_s": 5},
})  # fmt: skip
"""Some half of what the local topology carries, so that a fault is seen against calm."""


@contextlib.contextmanager
def loaded_cluster(directory: Path, say: Say, for_s: float, campaign: Campaign = CAMPAIGN) -> Iterator[Cluster]:
    """Loaded for `for_s` before the block, and throughout it. Raises ClusterError, GeneratorError."""
    with _cluster(directory, say, campaign) as cluster:
        cluster.await_scraped()
        with TemporaryDirectory() as folder:
            scratch = Path(folder)
            prefix = f"boards-{time.time_ns()}"
            with steady_load(cluster, campaign, prefix, scratch / "receipts", scratch / "log"):
                say(f"loading it for {for_s:g} s")
                time.sleep(for_s)
                yield cluster


@contextlib.contextmanager
def _cluster(directory: Path, say: Say, campaign: Campaign) -> Iterator[Cluster]:
    running = Cluster.attach(directory)
    if running is not None:
        say("using the cluster that is up")
        yield running
        return
    say("starting a cluster")
    with Cluster.up(campaign.plan()[0].topology, directory, say=say) as cluster:
        yield cluster
