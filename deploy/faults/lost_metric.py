"""A metric that is scraped and thrown away: a relabelling that somebody got wrong."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import yaml
from pydantic import Field

from deploy.cluster import Cluster
from deploy.faults.fault import Fault
from deploy.local.site import Layout
from deploy.topology import Topology


class LostMetric(Fault):
    """Prometheus drops one metric of every target, by its configuration, which it reads again."""

    kind: Literal["lost_metric"] = "lost_metric"
    metric: Annotated[str, Field(pattern=r"^[a-z_]+$")]

    def misfit(self, topology: Topology) -> str | None:
        if topology.observability.prometheus:
            return None
        return "no Prometheus runs in this topology; set observability.prometheus: true"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        path = Layout(cluster.directory).config / "prometheus.yml"
        whole = path.read_text()
        document = yaml.safe_load(whole)
        drop = {"source_labels": ["__name__"], "regex": f"{self.metric}(_bucket|_count|_sum)?", "action": "drop"}
        for job in document["scrape_configs"]:
            job["metric_relabel_configs"] = [*job.get("metric_relabel_configs", []), drop]
        try:
            path.write_text(yaml.safe_dump(document))
            cluster.signal("prometheus", signal.SIGHUP)
            yield
        finally:
            path.write_text(whole)
            cluster.signal("prometheus", signal.SIGHUP)
