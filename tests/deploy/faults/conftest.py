"""A live cluster on which every kind of fault can act."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.cluster import Cluster
from deploy.faults.fault import ailing
from tests.deploy.faults.orders import takes_orders
from tests.deploy.live import SMALL, until

TOPOLOGY = SMALL.with_overrides({
    "links": ["gateway-ledger", "gateway-engine", "gateway-redis", "haproxy-gateway", "market_data-engine"],
    "market_data.replicas": 1, "history.replicas": 1, "observability.prometheus": True, "engine.cpu_cores": 0.5,
    "gateways.clock_faults": True,
    "ledger.disk_faults": True, "engine.disk_faults": True,
    "engine.restarts.hung_after_s": 3.0, "engine.restarts.backoff_max_s": 0.2, "gateways.restarts.hung_after_s": 3.0,
    "gateways.restarts.hung_restart": True,
})  # fmt: skip


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster.up(TOPOLOGY, tmp_path_factory.mktemp("faults") / "cluster") as cluster:
        yield cluster


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    """Whole before and after."""
    until(lambda: takes_orders(shared), "orders are taken")
    yield shared
    until(lambda: ailing(shared) == "", "the cluster is whole")
    until(lambda: takes_orders(shared), "orders are taken again")
