"""Synthetic runs with a known limit, and a short way to plant one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deploy.topology import Topology
from loadgen.record import Run
from tests.loadgen.synthetic import Series, write_run

STAGES = {"validate": 0.0004, "engine": 0.002, "ledger": 0.003, "publish": 0.001}


def cpu(busy: Mapping[str, float | Mapping[int, float]]) -> Iterator[Series]:
    """Component → busy cores of each instance, one figure or one by the number of gateways; instances as configured."""
    for component, cores in busy.items():
        for number in range(1, 9 if component == "gateway" else 2):

            def value(window: Any, second: float, cores: Any = cores, number: int = number) -> float:
                gateways = window.parameters["gateways"]
                each = cores[gateways] if isinstance(cores, Mapping) else cores
                return 100.0 + (each * second if number <= gateways or number == 1 else 0.0)

            yield Series("cluster_cpu_seconds_total", component, value, instance=f"{component}-{number}")


def throttled(shares: Mapping[str, float]) -> Iterator[Series]:
    """Component → share of its quota periods that used the quota up."""
    for component, share in shares.items():
        yield Series("cluster_cpu_periods_total", component, lambda _, s: 100 * s, f"{component}-1")
        yield Series(
            "cluster_cpu_throttled_periods_total", component, lambda _, s, of=share: of * 100 * s, f"{component}-1"
        )


def stages(seconds: Mapping[str, float], per_s: float) -> Iterator[Series]:
    """Counters of the gateways' stage times, from the mean time of each stage."""
    for stage, mean in seconds.items():
        labels = {"stage": stage}
        yield Series("gateway_stage_seconds_sum", "gateway", lambda _, s, m=mean: m * per_s * s, "gateway-1", labels)
        yield Series("gateway_stage_seconds_count", "gateway", lambda _, s: per_s * s, "gateway-1", labels)


def topologies(quotas: Mapping[str, float], gateways: tuple[int, ...] = (1, 2, 4)) -> dict[str, Any]:
    """`quotas` by dotted name of the topology, e.g. {"gateways.cpu_cores": 0.2}."""
    return {
        f"gateways={n}": Topology().with_overrides({"gateways": n, **quotas}).model_dump(mode="json") for n in gateways
    }


def gateway_bound(folder: Path, **changes: Any) -> Run:
    """Gateways of 0.2 cores each, always full; all else idle. Throughput follows them."""
    given: dict[str, Any] = {
        "orders_per_s": {1: 100, 2: 195, 4: 380},
        "latency_ms": 100.0,
        "topologies": topologies({"gateways.cpu_cores": 0.2, "ledger.cpu_cores": 0.4}),
        "series": [
            *cpu({"gateway": 0.198, "ledger": 0.03, "engine": 0.02}),
            *stages(STAGES, 200),
            *throttled({"gateway": 0.9, "ledger": 0.1}),
        ],
    }
    return Run.open(write_run(folder, **{**given, **changes}))
