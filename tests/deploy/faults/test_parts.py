"""Each kind of fault that stops, bounds or deceives a part: seen while it stands, then gone, the cluster whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from deploy.cluster import Cluster, ClusterError, EventKind, PartState
from deploy.faults.clock_skew import ClockSkew
from deploy.faults.cpu_hog import BUSY, CpuHog
from deploy.faults.cpu_quota import CpuQuota
from deploy.faults.crash_loop import CrashLoop
from deploy.faults.disk_full import DiskFull
from deploy.faults.fault import FaultError, inflicted
from deploy.faults.fd_limit import FdLimit
from deploy.faults.freeze import Freeze
from deploy.faults.kill import Kill
from deploy.faults.lost_metric import LostMetric
from deploy.faults.small_disk import SmallDisk
from deploy.faults.stutter import Stutter
from tests.deploy.faults.orders import (
    QUICK_S,
    is_running,
    order,
    pid_of,
    says,
    state_of,
    takes_orders,
)
from tests.deploy.live import until

pytestmark = pytest.mark.slow


def test_a_killed_part_comes_back_as_another_process(cluster: Cluster) -> None:
    killed = pid_of(cluster, "ledger-1")
    with inflicted(cluster, Kill(part="ledger-1")):
        until(lambda: pid_of(cluster, "ledger-1") != killed, "its end is noticed")
    assert pid_of(cluster, "ledger-1") not in (None, killed)


def test_a_frozen_part_is_called_hung_and_answers_again_afterwards(cluster: Cluster) -> None:
    since_ns, pid = time.time_ns(), pid_of(cluster, "engine")
    with inflicted(cluster, Freeze(part="engine")):
        until(lambda: state_of(cluster, "engine") is PartState.HUNG, "it is called hung")
        assert not takes_orders(cluster)
    kinds = [event.kind for event in cluster.events(since_ns) if event.part == "engine"]
    assert (kinds, pid_of(cluster, "engine")) == ([EventKind.HUNG, EventKind.ANSWERS], pid)


def test_a_hung_part_is_restarted_where_the_topology_says_so(cluster: Cluster) -> None:
    frozen = pid_of(cluster, "gateway-1")
    with inflicted(cluster, Freeze(part="gateway-1")):
        until(lambda: takes_orders(cluster, "gateway-1"), "another process takes orders while the fault still stands")
        assert pid_of(cluster, "gateway-1") != frozen


def test_a_full_disk_stops_the_engine_and_a_free_one_lets_it_go_on(cluster: Cluster) -> None:
    since_ns = time.time_ns()
    with inflicted(cluster, DiskFull(part="engine")):
        assert not takes_orders(cluster)
        died = until(lambda: [e for e in cluster.events(since_ns) if e.kind is EventKind.DIED], "it died of its disk")
        assert "No space left on device" in died[0].log_end
    until(lambda: takes_orders(cluster), "it goes on")


def test_a_full_disk_of_the_ledger_refuses_what_would_grow(cluster: Cluster) -> None:
    with psycopg.connect(cluster.secrets.ledger_dsns[0], autocommit=True) as session:
        with inflicted(cluster, DiskFull(part="ledger-1")), pytest.raises(psycopg.errors.DiskFull):
            session.execute("CREATE TABLE too_much AS SELECT * FROM generate_series(1, 100000)")
        session.execute("CREATE TABLE too_much AS SELECT * FROM generate_series(1, 1000)")
        session.execute("DROP TABLE too_much")


def test_a_part_is_bounded_live_and_has_what_it_had_afterwards(cluster: Cluster) -> None:
    def quotas() -> tuple[float | None, str]:
        part = next(part for part in cluster.parts() if part.name == "gateway-1")
        return part.cpu_quota_cores, Path(f"/proc/{part.pid}/cgroup").read_text()

    before = quotas()
    if cluster.quotas.startswith("not applied"):
        with pytest.raises(ClusterError, match="CPU quotas are not applied"):
            cluster.set_cpu_quota("gateway-1", 0.2)
        return
    with inflicted(cluster, CpuQuota(part="gateway-1", cores=0.2)):
        assert quotas()[0] == 0.2
        assert quotas()[1] != before[1]
        until(lambda: takes_orders(cluster), "it takes orders")
    assert quotas() == before


def test_a_hog_uses_the_machine_until_it_is_ended(cluster: Cluster) -> None:
    def hogs() -> list[psutil.Process]:
        return [child for child in psutil.Process().children() if BUSY in child.cmdline()]

    with inflicted(cluster, CpuHog(processes=2)):
        assert len(hogs()) == 2
        until(lambda: all(sum(hog.cpu_times()[:2]) > 0.05 for hog in hogs()), "both are busy")
    assert hogs() == []


def test_what_a_hog_beside_the_cluster_uses_is_counted_as_the_labs(cluster: Cluster) -> None:
    def beside_the_parts_s() -> float:
        return (cluster.cpu_seconds() or 0.0) - sum(part.cpu_seconds for part in cluster.parts())

    if cluster.quotas.startswith("not applied"):
        assert cluster.cpu_seconds() is None
        return
    before_s = beside_the_parts_s()
    with inflicted(cluster, CpuHog(processes=2)):
        hogs = [child for child in psutil.Process().children() if BUSY in child.cmdline()]
        until(lambda: all(sum(hog.cpu_times()[:2]) > 0.6 for hog in hogs), "both were busy")
    assert beside_the_parts_s() - before_s > 1.0


def test_a_part_at_its_limit_of_descriptors_takes_no_connection(cluster: Cluster) -> None:
    limits = psutil.Process(pid_of(cluster, "gateway-1")).rlimit(psutil.RLIMIT_NOFILE)
    with inflicted(cluster, FdLimit(part="gateway-1", descriptors=0)):
        assert order(cluster, timeout_s=1.0, part="gateway-1") is None
    until(lambda: takes_orders(cluster, "gateway-1"), "it takes connections again")
    assert psutil.Process(pid_of(cluster, "gateway-1")).rlimit(psutil.RLIMIT_NOFILE) == limits


def test_a_part_that_stutters_stands_still_again_and_again(cluster: Cluster) -> None:
    process = psutil.Process(pid_of(cluster, "gateway-1"))
    with inflicted(cluster, Stutter(part="gateway-1", stop_ms=200, run_ms=200)):
        for state in (psutil.STATUS_STOPPED, psutil.STATUS_SLEEPING) * 2:
            until(lambda state=state: process.status() == state, f"the gateway is {state}")
    until(lambda: takes_orders(cluster), "orders are taken")


def test_a_small_disk_is_as_full_as_was_said_and_gone_afterwards(cluster: Cluster) -> None:
    place = cluster.directory / "data" / "small_disk"
    with inflicted(cluster, SmallDisk(filled=0.97)):
        usage = psutil.disk_usage(str(place))
        assert usage.free / usage.total < 0.05
    assert not place.exists()


def test_a_fault_is_reverted_when_the_block_fails(cluster: Cluster) -> None:
    with pytest.raises(KeyboardInterrupt), inflicted(cluster, Freeze(part="redis")):
        raise KeyboardInterrupt
    assert is_running(cluster, "redis")


STRIKER = """
import sys, time
from pathlib import Path
from deploy.cluster import Cluster
from deploy.faults.guard import guarded
from deploy.faults.freeze import Freeze
with guarded(Cluster.attach(Path(sys.argv[1])), Freeze(part="redis")):
    print("struck", flush=True)
    time.sleep(600)
"""


def test_a_guarded_fault_is_reverted_when_its_striker_is_killed(cluster: Cluster) -> None:
    command = [sys.executable, "-c", STRIKER, str(cluster.directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as striker:
        assert striker.stdout is not None
        assert striker.stdout.readline() == "struck\n"
        assert not is_running(cluster, "redis")
        os.kill(striker.pid, signal.SIGKILL)
    until(lambda: is_running(cluster, "redis"), "the guard reverts it")


def test_a_fault_that_does_not_fit_is_not_applied(cluster: Cluster) -> None:
    with (
        pytest.raises(FaultError, match="keeps nothing on disk"),
        inflicted(cluster, DiskFull(part="redis")),
    ):
        pytest.fail("it was applied")


def test_a_part_in_a_crash_loop_is_started_again_and_again(cluster: Cluster) -> None:
    def restarts() -> int:
        return next(part.restarts for part in cluster.parts() if part.name == "history")

    before = restarts()
    with inflicted(cluster, CrashLoop(part="history")):
        until(lambda: restarts() >= before + 2, "it was started twice")


def test_a_hog_of_a_part_runs_in_its_group(cluster: Cluster) -> None:
    if cluster.quotas.startswith("not applied"):
        return
    with inflicted(cluster, CpuHog(part="engine")):
        hog = next(child for child in psutil.Process().children() if BUSY in child.cmdline())
        groups = [Path(f"/proc/{pid}/cgroup").read_text() for pid in (hog.pid, pid_of(cluster, "engine"))]
        assert groups[0] == groups[1]


def test_a_lost_metric_is_not_in_prometheus_until_it_is_found_again(cluster: Cluster) -> None:
    def series() -> int:
        url = f"http://{cluster.address('prometheus')}/api/v1/query"
        found = httpx.get(url, params={"query": "gateway_request_seconds_count"}, timeout=QUICK_S)
        return len(found.json()["data"]["result"])

    until(series, "it is scraped")
    with inflicted(cluster, LostMetric(metric="gateway_request_seconds")):
        until(lambda: series() == 0, "it is gone")
    until(series, "it is back")


def test_a_generator_that_is_not_there_cannot_be_struck(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="no generator is at work; start a load first"):
        cluster.signal("generator", signal.SIGSTOP)


def test_a_gateway_with_a_wrong_clock_takes_orders_and_says_the_wrong_time(cluster: Cluster) -> None:
    def ahead_s() -> float:
        return says(cluster, "gateway-1", "gateway_clock_seconds") - time.time()

    with inflicted(cluster, ClockSkew(part="gateway-1", ahead_ms=-60_000)):
        assert -70 < ahead_s() < -50
        assert takes_orders(cluster, "gateway-1")
    assert -10 < ahead_s() < 10
