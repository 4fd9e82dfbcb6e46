"""The limits that the locator's bench plants: each a component, a mechanism, a reversible fault in three severities.

`HELD_OUT` names the pairs of component and mechanism on which no cut-off of the locator may be tuned. A healthy case
plants nothing; in a starved one the generator is at fault. Where two limits are planted at once, either may be named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.faults.cpu_hog import CpuHog
from deploy.faults.cpu_quota import CpuQuota
from deploy.faults.failing_rows import FailingRows
from deploy.faults.fault import Fault
from deploy.faults.fd_limit import FdLimit
from deploy.faults.freeze import Freeze
from deploy.faults.hot_row import HotRow
from deploy.faults.idle_connections import IdleConnections
from deploy.faults.network import Bandwidth, Latency, Timeout
from deploy.faults.redis_memory import RedisMemory
from deploy.faults.slow_sync import SlowSync
from deploy.faults.small_pool import SmallPool
from deploy.faults.stutter import Stutter
from deploy.faults.table_lock import TableLock

SEVERITIES = 3
LINKS = ["gateway-ledger", "gateway-redis", "gateway-engine", "haproxy-gateway"]
OVERRIDES: Mapping[str, Any] = {
    "links": LINKS, "engine.disk_faults": True, "gateways.replicas": 1, "gateways.cpu_cores": 0.4,
    "gateways.ledger_pool_size": 8,
}  # fmt: skip

Plants = tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """The load under which cases are planted, and the cluster, beside OVERRIDES."""

    name: str
    users: int = 24
    think_s: float = 0.03
    overrides: Mapping[str, Any] = field(default_factory=dict)
    flow: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """`truths`: (component, mechanism) in the locator's words; none where nobody is to be accused.

    `severities`: what is planted, the mildest first; a fault that knows no degrees has one. None: it is the setting.
    """

    name: str
    truths: tuple[tuple[str, str], ...] = ()
    severities: tuple[Plants, ...] = ()
    setting: Setting = Setting("usual")

    @property
    def is_held_out(self) -> bool:
        return any(truth in HELD_OUT for truth in self.truths)

    def planted(self, severity: int) -> Plants | None:
        """None where the case has no such degree: one that has a single one counts as the middle."""
        if len(self.severities) == 1:
            return self.severities[0] if severity == SEVERITIES // 2 else None
        return self.severities[severity] if self.severities else None


def _delayed(link: Any, *ms: int) -> tuple[Plants, ...]:
    return tuple((Latency(link=link, stream="upstream", latency_ms=each),) for each in ms)


def _narrow(link: Any, *kilobytes_per_s: int) -> tuple[Plants, ...]:
    return tuple((Bandwidth(link=link, stream="upstream", kilobytes_per_s=each),) for each in kilobytes_per_s)


def _stutter(part: str) -> tuple[Plants, ...]:
    return tuple((Stutter(part=part, stop_ms=stop_ms, run_ms=200),) for stop_ms in (100, 200, 400))


def _quota(part: str, *cores: float) -> tuple[Plants, ...]:
    return tuple((CpuQuota(part=part, cores=each),) for each in cores)


def _slow_sync(part: str, *ms: int) -> tuple[Plants, ...]:
    return tuple((SlowSync(part=part, delay_ms=each),) for each in ms)


def _one(component: str, mechanism: str) -> tuple[tuple[str, str], ...]:
    return ((component, mechanism),)


def _network(link: str) -> tuple[tuple[str, str], ...]:
    return _one(f"network {link}", "network delay")


CASES: tuple[Case, ...] = (
    Case("gateway_quota", _one("gateway", "CPU quota"), _quota("gateway-1", 0.2, 0.15, 0.1)),
    Case("ledger_quota", _one("ledger", "CPU quota"), _quota("ledger-1", 0.1)),
    Case("ledger_slow_sync", _one("ledger", "commit path"), _slow_sync("ledger-1", 10, 20, 40)),
    Case("ledger_hot_row", _one("ledger", "locks"), tuple((HotRow(held_ms=ms),) for ms in (3, 5, 15))),
    Case("ledger_pool", _one("ledger", "connection pool"), tuple((SmallPool(connections=n),) for n in (3, 2, 1))),
    Case("ledger_table_lock", _one("ledger", "locks"), ((TableLock(mode="exclusive"),),)),
    Case("engine_slow_sync", _one("engine", "commit path"), _slow_sync("engine", 10, 25, 40)),
    Case("link_gateway_ledger", _network("gateway-ledger"), _delayed("gateway-ledger", 10, 20, 40)),
    Case("link_gateway_engine", _network("gateway-engine"), _delayed("gateway-engine", 12, 25, 50)),
    Case("link_gateway_redis", _network("gateway-redis"), _delayed("gateway-redis", 12, 25, 50)),
    Case("narrow_gateway_ledger", _network("gateway-ledger"), _narrow("gateway-ledger", 24, 12, 6)),
    Case("link_haproxy_gateway", _network("haproxy-gateway"), _delayed("haproxy-gateway", 12, 25, 50)),
    Case("narrow_haproxy_gateway", _network("haproxy-gateway"), _narrow("haproxy-gateway", 24, 12, 6)),
    Case("redis_frozen", _one("redis", "response time"), ((Freeze(part="redis"),),)),
    Case("redis_stutter", _one("redis", "response time"), _stutter("redis")),
    Case("gateway_stutter", _one("gateway", "response time"), _stutter("gateway-1")),
    Case("engine_stutter", _one("engine", "response time"), _stutter("engine")),
    Case("ledger_stutter", _one("ledger", "response time"), _stutter("ledger-1")),
    Case("haproxy_stutter", _one("haproxy", "response time"), _stutter("haproxy")),
    Case("haproxy_quota", _one("haproxy", "CPU quota"), _quota("haproxy", 0.1)),
    Case("engine_quota", _one("engine", "CPU quota"), _quota("engine", 0.1)),
    Case("redis_quota", _one("redis", "CPU quota"), _quota("redis", 0.1)),
    Case("host_hog", _one("host", "CPU"), tuple((CpuHog(processes=count),) for count in (3, 6, 12))),
    Case("two_ledger_sync_engine_link", (("ledger", "commit path"), ("network gateway-engine", "network delay")), (
        (*_slow_sync("ledger-1", 20)[0], *_delayed("gateway-engine", 25)[0]),
    )),
    Case("two_hot_row_gateway_quota", (("ledger", "locks"), ("gateway", "CPU quota")), (
        (HotRow(held_ms=5), *_quota("gateway-1", 0.1)[0]),
    )),
    Case("generator_quota", _one("generator", "CPU"),
         setting=Setting("starved", think_s=0.0, overrides={"generator.cpu_cores": 0.1})),
    *(
        Case(f"healthy_{users}_{mix}", setting=Setting(f"healthy_{users}_{mix}", users, 0.1, flow=flow))
        for users in (6, 10, 14)
        for mix, flow in (("usual", {}), ("takers", {"add": 0.4, "cancel": 0.1, "take": 0.5}))
    ),
)  # fmt: skip
HELD_OUT = frozenset({
    ("redis", "response time"), ("gateway", "response time"), ("engine", "response time"), ("ledger", "response time"),
    ("haproxy", "response time"), ("network haproxy-gateway", "network delay"), ("host", "CPU"),
    ("haproxy", "CPU quota"), ("engine", "CPU quota"), ("redis", "CPU quota"),
})  # fmt: skip


def _strange(name: str, truths: tuple[tuple[str, str], ...], *plants: Fault) -> Case:
    return Case(f"strange_{name}", truths, (plants,))


STRANGE: tuple[Case, ...] = (
    _strange("narrow_engine_link", _network("gateway-engine"),
             Bandwidth(link="gateway-engine", stream="upstream", kilobytes_per_s=12)),
    _strange("silent_redis_link", _network("gateway-redis"), Timeout(link="gateway-redis")),
    _strange("engine_hog", _one("engine", "CPU quota"), CpuHog(part="engine")),
    _strange("ledger_hog", _one("ledger", "CPU quota"), CpuHog(part="ledger-1", processes=3)),
    _strange("redis_hog", _one("redis", "CPU quota"), CpuHog(part="redis", processes=2)),
    _strange("haproxy_hog", _one("haproxy", "CPU quota"), CpuHog(part="haproxy", processes=2)),
    _strange("refused_rows", _one("ledger", "locks"), FailingRows(share=0.1)),
    _strange("redis_memory", _one("redis", "memory"), RedisMemory(max_kb=100)),
    _strange("no_descriptors", _one("gateway", "connections"), FdLimit(part="gateway-1", descriptors=0)),
    _strange("trades_lock", _one("ledger", "locks"), TableLock(table="trades")),
    _strange("frozen_haproxy", _one("haproxy", "response time"), Freeze(part="haproxy")),
    _strange("both_disks", (("ledger", "commit path"), ("engine", "commit path")),
             SlowSync(part="ledger-1", delay_ms=15), SlowSync(part="engine", delay_ms=15)),
    _strange("settler_stutter", (), Stutter(part="settler", stop_ms=400, run_ms=200)),
    _strange("idle_connections", (), IdleConnections(count=20)),
)  # fmt: skip
"""Limits that are no part of the benchmark and on which nothing was ever tuned; the last two limit nobody."""
ACTIVE = (
    "strange_engine_hog", "strange_ledger_hog", "strange_redis_hog", "strange_haproxy_hog", "ledger_slow_sync",
    "engine_slow_sync", "ledger_hot_row", "gateway_stutter", "link_gateway_redis",
)  # fmt: skip
"""Of which a proof is tried. None is planted by what a lever turns: work is added, a sync, a row or a link is slow. The
first five have a lever of another kind (a quota, the pool); of the others nothing must be proven."""
BY_NAME: Mapping[str, Case] = {case.name: case for case in (*CASES, *STRANGE)}


class UnknownCaseError(ValueError):
    """A name that is no case's; the text gives those that are."""


def active(cases: Sequence[Case]) -> list[Case]:
    """Of these, those to be proven; of the whole benchmark the strange ones among them too."""
    return [BY_NAME[name] for name in ACTIVE if BY_NAME[name] in cases or len(cases) == len(CASES)]


def chosen(names: list[str]) -> list[Case]:
    """Those of these names, or the benchmark's; `strange`: all of STRANGE. Raises UnknownCaseError."""
    if names == ["strange"]:
        return list(STRANGE)
    if unknown := [name for name in names if name not in BY_NAME]:
        raise UnknownCaseError(f"--cases names {', '.join(unknown)}; use strange or some of {', '.join(BY_NAME)}")
    return [BY_NAME[name] for name in names] or list(CASES)
