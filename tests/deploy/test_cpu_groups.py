"""CPU groups bound and account what runs in them: against this machine's kernel, and v2 against files like its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.cpu_groups import CpuGroups, CpuUsage, GroupsV2, Limit, NoGroups, discover
from tests.deploy.live import until

BUSY = "while True: pass"
ENOUGH_NS = 300_000_000


@pytest.fixture
def groups() -> Iterator[CpuGroups]:
    groups = discover(f"trading-lab-test-{os.getpid()}")
    yield groups
    groups.remove()


@pytest.fixture
def busy(groups: CpuGroups) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    yield process
    process.kill()
    process.wait()


def enter(groups: CpuGroups, path: str, pid: int) -> None:
    for entrance in groups.entrances(path):
        entrance.write_text(str(pid))


def used_ns(groups: CpuGroups, path: str) -> int:
    usage = groups.usage(path)
    assert usage is not None
    return usage.used_ns


def test_a_quota_bounds_what_a_busy_process_gets(groups: CpuGroups, busy: subprocess.Popen[bytes]) -> None:
    if isinstance(groups, NoGroups):
        assert groups.word.startswith("not applied, ")
        return
    groups.make("busy", Limit(cores=0.2))
    enter(groups, "busy", busy.pid)
    started_ns, before = time.monotonic_ns(), used_ns(groups, "busy")  # a pause between them makes the share smaller
    until(lambda: used_ns(groups, "busy") - before > ENOUGH_NS, "the busy process gets its share")
    share = (used_ns(groups, "busy") - before) / (time.monotonic_ns() - started_ns)
    usage = groups.usage("busy")
    assert usage is not None
    assert share < 0.2 * 1.2  # the kernel grants up to 8 % more
    assert usage.throttled_periods > 0
    assert usage.throttled_ns > 0


def test_a_lifted_quota_no_longer_throttles(groups: CpuGroups, busy: subprocess.Popen[bytes]) -> None:
    if isinstance(groups, NoGroups):
        return
    groups.make("busy", Limit(cores=0.2))
    groups.set_quota("busy", None)
    enter(groups, "busy", busy.pid)
    until(lambda: used_ns(groups, "busy") > ENOUGH_NS, "the busy process runs")
    usage = groups.usage("busy")
    assert usage is not None
    assert usage.throttled_periods == 0


def test_a_group_counts_what_its_children_use_and_what_left_goes_home(
    groups: CpuGroups, busy: subprocess.Popen[bytes]
) -> None:
    if isinstance(groups, NoGroups):
        return
    groups.make("beside/part", Limit())
    enter(groups, "beside/part", busy.pid)
    until(lambda: used_ns(groups, "beside") > 0, "the parent counts its child")
    assert groups.pids("beside/part") == [busy.pid]
    groups.remove("beside")
    assert groups.usage("beside") is None
    assert busy.poll() is None


def test_a_cpuset_keeps_a_process_on_its_core(groups: CpuGroups, busy: subprocess.Popen[bytes]) -> None:
    if isinstance(groups, NoGroups):
        return
    groups.make("pinned", Limit(cpuset="0"))
    enter(groups, "pinned", busy.pid)
    until(lambda: os.sched_getaffinity(busy.pid) == {0}, "it may run on core 0 only")


def v2_tree(tmp_path: Path) -> Path:
    """A tree as the kernel shows it where this process is in the root group."""
    mount = tmp_path / "tree"
    mount.mkdir()
    (mount / "cgroup.controllers").write_text("cpuset cpu memory")
    (mount / "cgroup.subtree_control").write_text("")
    return mount


def proc(tmp_path: Path, mounts: str) -> Path:
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "mountinfo").write_text(mounts)
    return tmp_path


def test_v2_writes_quota_and_period_and_switches_the_controller_on_above(tmp_path: Path) -> None:
    mount = v2_tree(tmp_path)
    group = mount / "lab" / "gateway-1"
    group.mkdir(parents=True)
    (mount / "lab" / "cgroup.subtree_control").write_text("")
    (group / "cpu.max").write_text("max 100000")
    groups = GroupsV2("lab", mount)
    groups.make("gateway-1", Limit(cores=0.25))
    assert (group / "cpu.max").read_text() == "2500 10000"
    assert (mount / "cgroup.subtree_control").read_text() == "+cpu"
    assert (mount / "lab" / "cgroup.subtree_control").read_text() == "+cpu"
    groups.set_quota("gateway-1", None)
    assert (group / "cpu.max").read_text() == "max 10000"


def test_v2_reads_usage_in_nanoseconds(tmp_path: Path) -> None:
    mount = v2_tree(tmp_path)
    (mount / "lab" / "engine").mkdir(parents=True)
    (mount / "lab" / "engine" / "cpu.stat").write_text("usage_usec 7\nnr_periods 3\nnr_throttled 2\nthrottled_usec 5\n")
    assert GroupsV2("lab", mount).usage("engine") == CpuUsage(7_000, 3, 2, 5_000)


def test_a_machine_without_a_cpu_controller_is_told_in_a_word(tmp_path: Path) -> None:
    groups = discover("lab", proc=proc(tmp_path, "1 0 0:1 / /proc rw - proc proc rw\n"))
    assert groups.word == "not applied, this machine has no cgroup with a cpu controller"
    assert groups.entrances("gateway-1") == []


def test_a_tree_that_may_not_be_written_is_told_in_a_word(tmp_path: Path) -> None:
    mount = v2_tree(tmp_path)
    (mount / "lab").write_text("a file where a group would have to be made")
    groups = discover("lab", proc=proc(tmp_path, f"1 0 0:1 / {mount} rw - cgroup2 cgroup2 rw\n"))
    assert groups.word.startswith("not applied, cgroup v2, period 10 ms refuses: ")
