"""What each part uses of CPU and memory, and the supervisor's own /metrics.

CPU comes from the part's group, which also counts what its dead children used; without groups from the processes that
are there. Memory is resident memory with what processes of one part share counted once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from deploy.local.cpu_groups import CpuGroups, CpuUsage
from deploy.local.host_cpu import TICKS_PER_S, host_cpu
from deploy.local.run_queue import RunQueueDelays
from target_system import signals
from target_system.signals import MetricType

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class Account:
    """One row of the accounts: a part, the supervisor itself, or the generator."""

    component: str
    instance: str
    group: str
    pid: int | None
    quota_cores: float | None = None
    restarts: int = 0
    is_up: bool = True
    asked: int = 0
    answer_s: float = 0.0


def pids_of(account: Account, groups: CpuGroups) -> list[int]:
    found = groups.pids(account.group)
    if found or account.pid is None:
        return found
    try:
        process = psutil.Process(account.pid)
        return [process.pid, *(child.pid for child in process.children(recursive=True))]
    except psutil.Error:
        return []


def cpu_usage(account: Account, groups: CpuGroups) -> CpuUsage:
    return groups.usage(account.group) or CpuUsage(sum(_cpu_ns(pid) for pid in pids_of(account, groups)))


def memory_bytes(pids: Iterable[int]) -> int:
    own = shared_most = 0
    for pid in pids:
        try:
            _, resident, shared, *_ = (int(word) for word in Path(f"/proc/{pid}/statm").read_text().split())
        except OSError:
            continue
        own += resident - shared
        shared_most = max(shared_most, shared)
    return (own + shared_most) * PAGE_BYTES


def _cpu_ns(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(ticks) for ticks in fields[11:15]) * 1_000_000_000 // TICKS_PER_S


class ClusterCollector(Collector):
    """Reads the accounts when it is scraped."""

    def __init__(self, accounts: Callable[[], Iterable[Account]], groups: CpuGroups) -> None:
        self._accounts, self._groups, self._run_queue = accounts, groups, RunQueueDelays()

    def collect(self) -> Iterator[Metric]:
        families = {metric.name: _family(metric) for metric in signals.cluster.METRICS}
        for account in self._accounts():
            labels = [account.component, account.instance]
            for name, value in self._of(account).items():
                families[name].add_metric(labels, value)
        families["cluster_host_cores"].add_metric([], len(os.sched_getaffinity(0)))
        for mode, seconds in _host_cpu_s().items():
            families["cluster_host_cpu_seconds_total"].add_metric([mode], seconds)
        yield from families.values()

    def _of(self, account: Account) -> dict[str, float]:
        usage, pids = cpu_usage(account, self._groups), pids_of(account, self._groups)
        values: dict[str, float] = {
            "cluster_up": account.is_up,
            "cluster_cpu_seconds_total": usage.used_ns / NS_PER_S,
            "cluster_run_queue_seconds_total": self._run_queue.look(account.instance, pids) / NS_PER_S,
            "cluster_memory_bytes": memory_bytes(pids),
            "cluster_restarts_total": account.restarts,
        }
        if account.asked:
            values |= {"cluster_asked_total": account.asked, "cluster_answer_seconds_total": account.answer_s}
        if account.quota_cores is not None:
            values |= {
                "cluster_cpu_quota_cores": account.quota_cores,
                "cluster_cpu_periods_total": usage.periods,
                "cluster_cpu_throttled_periods_total": usage.throttled_periods,
                "cluster_cpu_throttled_seconds_total": usage.throttled_ns / NS_PER_S,
            }
        return values


def _family(metric: signals.Metric) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.type is MetricType.COUNTER else GaugeMetricFamily
    return kind(metric.name, metric.meaning, labels=metric.labels)


def _host_cpu_s() -> dict[str, float]:
    cpu = host_cpu()
    ticks = {"busy": cpu.busy_ticks, "idle": cpu.idle_ticks, "steal": cpu.stolen_ticks}
    return {mode: count / TICKS_PER_S for mode, count in ticks.items()}
