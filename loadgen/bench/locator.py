"""Limits planted on purpose, so that whoever names limits can be scored: each case one short window on one cluster.

The window has three parts: the cluster as it is, with the plant, and healed. So whether the plant hurts, and whether
its removal heals, is seen under the same load. A healthy case plants nothing; in a starved one the generator is at
fault. `HELD_OUT` names the pairs of component and mechanism on which no cut-off of the locator may be tuned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.cluster import ClusterError
from deploy.faults.cpu_hog import CpuHog
from deploy.faults.cpu_quota import CpuQuota
from deploy.faults.fault import Fault
from deploy.faults.freeze import Freeze
from deploy.faults.hot_row import HotRow
from deploy.faults.network import Bandwidth, Latency
from deploy.faults.slow_sync import SlowSync
from deploy.faults.table_lock import TableLock
from loadgen.campaign import Campaign
from loadgen.generator import GeneratorError
from loadgen.run import cluster_for, run_campaign
from loadgen.window import Progress

BEFORE_S, PLANTED_S, AFTER_S = 6, 6, 5
PREFIX = "locator_"
TOPOLOGY = "proving"
LINKS = ["gateway-ledger", "gateway-redis", "gateway-engine", "haproxy-gateway"]
OVERRIDES: Mapping[str, Any] = {
    "links": LINKS, "engine.disk_faults": True, "gateways.replicas": 1, "gateways.cpu_cores": 0.4,
    "gateways.ledger_pool_size": 8,
}  # fmt: skip
USERS, THINK_S = 24, 0.06


@dataclass(frozen=True, slots=True)
class Case:
    """`component` and `mechanism` are the truth, in the locator's words; both empty where nobody is to be accused."""

    name: str
    component: str = ""
    mechanism: str = ""
    plants: tuple[Fault, ...] = ()
    users: int = USERS
    think_s: float = THINK_S
    overrides: Mapping[str, Any] = field(default_factory=dict)
    flow: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pair(self) -> tuple[str, str]:
        return self.component, self.mechanism


def _link(link: Any, ms: int) -> tuple[Fault, ...]:
    return (Latency(link=link, stream="upstream", latency_ms=ms),)


CASES: tuple[Case, ...] = (
    Case("gateway_quota", "gateway", "CPU quota", (CpuQuota(part="gateway-1", cores=0.1),)),
    Case("ledger_quota", "ledger", "CPU quota", (CpuQuota(part="ledger-1", cores=0.1),), think_s=0.02),
    Case("ledger_slow_sync", "ledger", "commit path", (SlowSync(part="ledger-1", delay_ms=20),)),
    Case("ledger_hot_row", "ledger", "locks", (HotRow(held_ms=5),)),
    Case("ledger_table_lock", "ledger", "locks", (TableLock(mode="exclusive"),)),
    Case("engine_slow_sync", "engine", "commit path", (SlowSync(part="engine", delay_ms=25),)),
    Case("link_gateway_ledger", "network gateway-ledger", "network delay", _link("gateway-ledger", 20)),
    Case("link_gateway_engine", "network gateway-engine", "network delay", _link("gateway-engine", 25)),
    Case("link_gateway_redis", "network gateway-redis", "network delay", _link("gateway-redis", 25)),
    Case("link_haproxy_gateway", "network haproxy-gateway", "network delay", _link("haproxy-gateway", 25)),
    Case("redis_frozen", "redis", "response time", (Freeze(part="redis"),)),
    Case("narrow_gateway_ledger", "network gateway-ledger", "network delay", (
        Bandwidth(link="gateway-ledger", stream="upstream", kilobytes_per_s=12),
    )),
    Case("host_hog", "host", "CPU", (CpuHog(processes=6),)),
    Case("generator_quota", "generator", "CPU", overrides={"generator.cpu_cores": 0.1}, think_s=0.0),
    *(
        Case(f"healthy_{users}_{mix}", users=users, think_s=0.1, flow=flow)
        for users in (6, 10, 14)
        for mix, flow in (("usual", {}), ("takers", {"add": 0.4, "cancel": 0.1, "take": 0.5}))
    ),
)  # fmt: skip
HELD_OUT = frozenset({("redis", "response time"), ("network haproxy-gateway", "network delay"), ("host", "CPU")})


def chosen(names: Sequence[str]) -> list[Case]:
    """Those of these names, or all. Raises ValueError naming what is unknown."""
    known = {case.name: case for case in CASES}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"--cases names {', '.join(unknown)}; use some of {', '.join(known)}")
    return [known[name] for name in names] or list(CASES)


def run_cases(cases: Sequence[Case], runs: Path, cluster_directory: Path, seed: int, say: Progress) -> Iterator[str]:
    """Each case on one cluster, one sealed run each; yields the names of those that could not be run."""
    with cluster_for(campaign(cases[0], seed).plan()[0].topology, cluster_directory, say):
        for number, case in enumerate(cases, 1):
            say(f"case {number} of {len(cases)}: {case.name}")
            try:
                run_campaign(campaign(case, seed), runs, cluster_directory, _silent, _silent)
            except (GeneratorError, ClusterError) as error:
                say(f"  could not be run: {error}")
                yield case.name


def _silent(_: object) -> None:
    pass


def campaign(case: Case, seed: int) -> Campaign:
    return Campaign.model_validate({
        "name": f"{PREFIX}{case.name}", "title": f"Planted: {case.name}", "topology": TOPOLOGY, "seed": seed,
        "overrides": {**OVERRIDES, **case.overrides},
        "load": {
            "users": case.users, "think_time_s": case.think_s, "warm_up_s": 2, "timeout_s": 10,
            "duration_s": BEFORE_S + PLANTED_S + AFTER_S,
        },
        "flow": case.flow,
        "faults": [
            {"at_s": BEFORE_S, "for_s": PLANTED_S, "fault": plant.model_dump(mode="json")} for plant in case.plants
        ],
    })  # fmt: skip


def parts_s(case: Case) -> dict[str, tuple[float, float]]:
    """Seconds of the measured part that speak of the cluster before, with the plant, and healed; its edges left out."""
    if not case.plants:
        whole = BEFORE_S + PLANTED_S + AFTER_S
        return {"planted": (1.0, float(whole))}
    planted = float(BEFORE_S + PLANTED_S)
    return {
        "before": (0.5, float(BEFORE_S)),
        "planted": (BEFORE_S + 1.0, planted),
        "after": (planted + 1.0, planted + AFTER_S),
    }


def case_of(name: str) -> Case | None:
    """Of a campaign's name."""
    return next((case for case in CASES if f"{PREFIX}{case.name}" == name), None)
