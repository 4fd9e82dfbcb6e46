"""CPU groups: what each part may use, and what it did use. cgroup v1 and v2 behind one protocol.

A quota is granted per period of 10 ms: with a longer one a busy part stalls for longer at a time, and a shorter one is
finer than the kernel's tick. A group's path is relative to the cluster's own group, as `gateway-1` or
`observability/loki`. Where the machine permits no groups, `NoGroups` says why and everything runs unbounded.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

PERIOD_US = 10_000
QUOTA_US_MIN = 1_000
"""The kernel refuses less."""
RT_US_MAX = 9_000
"""Of a period; what is left keeps the machine alive."""
WEIGHT = 1024
WEIGHT_MAX = 262_144
REMOVE_DEADLINE_S = 3.0
REMOVE_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Limit:
    cores: float | None = None
    cpuset: str | None = None
    is_real_time: bool = False
    """Its processes may take real-time priority, within `cores` of each CPU, where the machine has that much left."""


@dataclass(frozen=True, slots=True)
class CpuUsage:
    used_ns: int
    periods: int = 0
    throttled_periods: int = 0
    throttled_ns: int = 0


class CpuGroups(Protocol):
    word: str
    """How quotas are applied here, or why they are not; for `lab status`."""

    def make(self, path: str, limit: Limit) -> None: ...
    def set_quota(self, path: str, cores: float | None) -> None: ...
    def bound(self, path: str, cores: float | None) -> None:
        """Another quota for what runs in the group now, or none."""
        ...

    def entrances(self, path: str) -> list[Path]:
        """Files into which a process writes 0, or its parent its pid, to join the group."""
        ...

    def pids(self, path: str) -> list[int]: ...
    def usage(self, path: str) -> CpuUsage | None: ...
    def remove(self, path: str = "") -> None:
        """Remove the group and those in it; what still runs there goes back to where the cluster was started."""
        ...


def discover(name: str, proc: Path = Path("/proc/self")) -> CpuGroups:
    """The groups of the cluster with this name, after trying out that this process may make one with a quota."""
    groups = _mounted(name, proc)
    if isinstance(groups, NoGroups):
        return groups
    try:
        groups.make("trial", Limit(cores=1.0))
        groups.remove("trial")
    except OSError as error:
        with contextlib.suppress(OSError):
            groups.remove()
        return NoGroups(f"not applied, {groups.word} refuses: {error.strerror} ({error.filename})")
    return groups


class NoGroups:
    def __init__(self, word: str) -> None:
        self.word = word

    def make(self, path: str, limit: Limit) -> None:
        pass

    def set_quota(self, path: str, cores: float | None) -> None:
        pass

    def bound(self, path: str, cores: float | None) -> None:  # noqa: ARG002 - as the protocol has it
        raise OSError(f"CPU quotas are {self.word}")

    def entrances(self, path: str) -> list[Path]:  # noqa: ARG002 - as the protocol has it
        return []

    def pids(self, path: str) -> list[int]:  # noqa: ARG002 - as the protocol has it
        return []

    def usage(self, path: str) -> CpuUsage | None:  # noqa: ARG002 - as the protocol has it
        return None

    def remove(self, path: str = "") -> None:
        pass


class GroupsV1:
    """Each controller has a tree of its own.

    Every group is accounted, but only one with a limit appears in `cpu` or `cpuset`: what is unbounded is not scheduled
    by group either (unless the machine mounts `cpu` and `cpuacct` as one).
    """

    word = "cgroup v1, period 10 ms"

    def __init__(self, name: str, bases: dict[str, Path]) -> None:
        self._bases = bases  # controller → the group that this process was started in
        self._roots = {controller: base / name for controller, base in bases.items()}

    def make(self, path: str, limit: Limit) -> None:
        _make(self._roots["cpuacct"] / path)
        if limit.cores is not None:
            _make(self._roots["cpu"] / path)
            self.set_quota(path, limit.cores)
            self._weigh()
            if limit.is_real_time:
                self._allow_real_time(self._roots["cpu"] / path, limit.cores)
        if limit.cpuset is not None and "cpuset" in self._roots:
            self._make_cpuset(self._roots["cpuset"] / path, limit.cpuset)

    def set_quota(self, path: str, cores: float | None) -> None:
        group = self._roots["cpu"] / path
        if (group / "cpu.cfs_quota_us").exists():
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(_quota_us(cores) if cores is not None else -1))

    def bound(self, path: str, cores: float | None) -> None:
        """Without a quota a group is none of the `cpu` controller's, so it comes and goes, and its processes move."""
        if cores is not None:
            self.make(path, Limit(cores))
            _move(self.pids(path), self._roots["cpu"] / path)
        elif self._roots["cpu"] == self._roots["cpuacct"]:
            self.set_quota(path, None)
        else:
            _remove(self._roots["cpu"] / path, self._nearest("cpu", str(PurePosixPath(path).parent)))

    def entrances(self, path: str) -> list[Path]:
        groups = {self._nearest(controller, path): None for controller in self._roots}
        return [group / "cgroup.procs" for group in groups]

    def pids(self, path: str) -> list[int]:
        return _numbers(self._roots["cpuacct"] / path / "cgroup.procs")

    def usage(self, path: str) -> CpuUsage | None:
        used = _numbers(self._roots["cpuacct"] / path / "cpuacct.usage")
        if not used:
            return None
        stat = _keyed(self._roots["cpu"] / path / "cpu.stat")
        return CpuUsage(used[0], stat.get("nr_periods", 0), stat.get("nr_throttled", 0), stat.get("throttled_time", 0))

    def remove(self, path: str = "") -> None:
        for controller, root in self._roots.items():
            _remove(root / path, self._bases[controller])

    def _nearest(self, controller: str, path: str) -> Path:
        for group in (PurePosixPath(path), *PurePosixPath(path).parents):
            if group.name and (self._roots[controller] / group).is_dir():
                return self._roots[controller] / group
        return self._bases[controller]

    def _weigh(self) -> None:
        """Against the processes outside, the cluster counts as many times as it has groups, not once."""
        root = self._roots["cpu"]
        groups = sum(1 for child in root.iterdir() if child.is_dir())
        (root / "cpu.shares").write_text(str(min(WEIGHT * groups, WEIGHT_MAX)))

    def _allow_real_time(self, group: Path, cores: float) -> None:
        """A kernel that bounds real-time work by group (CONFIG_RT_GROUP_SCHED) grants a new one nothing."""
        with contextlib.suppress(OSError):
            for granted in (self._roots["cpu"], group):
                (granted / "cpu.rt_period_us").write_text(str(PERIOD_US))
                (granted / "cpu.rt_runtime_us").write_text(str(min(_quota_us(cores), RT_US_MAX)))

    def _make_cpuset(self, group: Path, cpuset: str) -> None:
        base = self._bases["cpuset"]
        steps = [step for step in (group, *group.parents) if step.is_relative_to(base) and step != base]
        for step in reversed(steps):
            _make(step)
            (step / "cpuset.mems").write_text((base / "cpuset.mems").read_text())
            (step / "cpuset.cpus").write_text(cpuset if step == group else (base / "cpuset.cpus").read_text())


class GroupsV2:
    """One tree. A controller is switched on level by level, and only where a limit asks for it."""

    word = "cgroup v2, period 10 ms"

    def __init__(self, name: str, base: Path) -> None:
        self._base, self._root = base, base / name

    def make(self, path: str, limit: Limit) -> None:
        group = self._root / path
        _make(group)
        if limit.cores is not None:
            self._switch_on("cpu", group)
            self.set_quota(path, limit.cores)
        if limit.cpuset is not None:
            self._switch_on("cpuset", group)
            (group / "cpuset.cpus").write_text(limit.cpuset)

    def set_quota(self, path: str, cores: float | None) -> None:
        group = self._root / path
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text(f"{_quota_us(cores) if cores is not None else 'max'} {PERIOD_US}")

    def bound(self, path: str, cores: float | None) -> None:
        self.make(path, Limit(cores))
        self.set_quota(path, cores)

    def entrances(self, path: str) -> list[Path]:
        return [self._root / path / "cgroup.procs"]

    def pids(self, path: str) -> list[int]:
        return _numbers(self._root / path / "cgroup.procs")

    def usage(self, path: str) -> CpuUsage | None:
        stat = _keyed(self._root / path / "cpu.stat")
        if "usage_usec" not in stat:
            return None
        return CpuUsage(
            stat["usage_usec"] * 1000,
            stat.get("nr_periods", 0),
            stat.get("nr_throttled", 0),
            stat.get("throttled_usec", 0) * 1000,
        )

    def remove(self, path: str = "") -> None:
        _remove(self._root / path, self._base)

    def _switch_on(self, controller: str, group: Path) -> None:
        steps = [step for step in group.parents if step.is_relative_to(self._base)]
        for step in reversed(steps):
            if controller not in (step / "cgroup.subtree_control").read_text().split():
                (step / "cgroup.subtree_control").write_text(f"+{controller}")


def _mounted(name: str, proc: Path) -> GroupsV1 | GroupsV2 | NoGroups:
    """From what is mounted and where this process is in it."""
    own = {}
    for line in (proc / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        own.update(dict.fromkeys(controllers.split(","), path))
    bases: dict[str, Path] = {}
    unified: Path | None = None
    for line in (proc / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        mount, (kind, _, options) = Path(before.split()[4]), after.split()[:3]
        if kind == "cgroup2":
            unified = _within(mount, own.get("", "/"))
        elif kind == "cgroup":
            for controller in {"cpu", "cpuacct", "cpuset"} & set(options.split(",")):
                bases[controller] = _within(mount, own.get(controller, "/"))
    if {"cpu", "cpuacct"} <= bases.keys():
        return GroupsV1(name, bases)
    if unified is not None and "cpu" in (unified / "cgroup.controllers").read_text().split():
        return GroupsV2(name, unified)
    return NoGroups("not applied, this machine has no cgroup with a cpu controller")


def _within(mount: Path, own: str) -> Path:
    """This process's group, or the mount itself where a container shows only its own part of the tree."""
    group = mount / own.lstrip("/")
    return group if group.is_dir() else mount


def _quota_us(cores: float) -> int:
    return round(cores * PERIOD_US)


def _make(group: Path) -> None:
    group.mkdir(parents=True, exist_ok=True)


def _numbers(path: Path) -> list[int]:
    try:
        return [int(word) for word in path.read_text().split()]
    except OSError:
        return []


def _keyed(path: Path) -> dict[str, int]:
    try:
        return {key: int(value) for key, value in (line.split() for line in path.read_text().splitlines())}
    except OSError:
        return {}


def _move(pids: list[int], group: Path) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            (group / "cgroup.procs").write_text(str(pid))


def _remove(group: Path, base: Path) -> None:
    """Deepest first. The kernel keeps a group busy for a moment after its last process has ended."""
    if not group.is_dir():
        return
    deadline = time.monotonic() + REMOVE_DEADLINE_S
    for path, _, _ in os.walk(group, topdown=False):
        _move(_numbers(Path(path) / "cgroup.procs"), base)
        while True:
            try:
                Path(path).rmdir()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(REMOVE_PAUSE_S)
