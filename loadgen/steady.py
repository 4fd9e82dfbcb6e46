"""A load that goes on beside something else, until that ends: a torture, a look at the boards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.cluster import Cluster, ClusterError
from loadgen.assignment import Second
from loadgen.campaign import Campaign
from loadgen.generator import Generator, GeneratorError
from loadgen.listener import figures_of
from loadgen.seal import RunNotWrittenError
from loadgen.window import assign


@contextmanager
def steady_load(cluster: Cluster, campaign: Campaign, prefix: str, receipts: Path, log: Path) -> Iterator[None]:
    """The generator at work until the block ends. Raises GeneratorError if it failed."""
    failed: list[Exception] = []

    def listen() -> None:
        try:
            for report in generator:
                if isinstance(report, Second):
                    cluster.show_load(figures_of(report))
            cluster.show_load({})
        except (ClusterError, GeneratorError, RunNotWrittenError) as error:
            failed.append(error)

    assignment = assign(cluster, campaign, campaign.plan()[0], prefix, receipts)
    with Generator(assignment, cluster.group("generator").place, log) as generator:
        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield
        finally:
            generator.stop()
            listener.join()
    if failed:
        raise failed[0]
