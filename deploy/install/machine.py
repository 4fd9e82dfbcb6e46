"""What the machine itself offers: cores, memory, disk, and whether CPU quotas can be applied."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deploy.install.part import ROOT, Check

CORES_WANTED = 2
MEMORY_WANTED_GIB = 4
DISK_WANTED_GIB = 10  # most of it for building Loki, once
GIB = 1 << 30


def checks() -> list[Check]:
    return [_cores(), _memory(), _disk(), quotas(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))]


def quotas(mount: Path, membership: Path) -> Check:
    """Whether this user may give processes a CPU quota, by cgroup v2 or v1."""
    own = {line.split(":")[1]: line.split(":", 2)[2].lstrip("/") for line in _lines(membership)}
    if (mount / "cgroup.controllers").exists():
        group = mount / own.get("", "")
        if "cpu" in " ".join(_lines(group / "cgroup.controllers")).split() and os.access(group, os.W_OK):
            return Check("cpu quotas", True, "cgroup v2", needed=False)
    elif any("cpu" in controllers.split(",") for controllers in own) and os.access(mount / "cpu", os.W_OK):
        return Check("cpu quotas", True, "cgroup v1", needed=False)
    found = "no writable cgroup with a cpu controller: quotas are not applied, sweeps are limited by the host"
    return Check("cpu quotas", False, found, "run as root, or have systemd delegate the cpu controller", needed=False)


def _cores() -> Check:
    count = len(os.sched_getaffinity(0))
    to_do = "" if count >= CORES_WANTED else f"take a machine with {CORES_WANTED} or more"
    return Check("cores", count >= CORES_WANTED, str(count), to_do, needed=False)


def _memory() -> Check:
    have_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    enough = have_gib >= MEMORY_WANTED_GIB
    to_do = "" if enough else f"take a machine with {MEMORY_WANTED_GIB} GiB or more"
    return Check("memory", enough, f"{have_gib:.1f} GiB", to_do, needed=False)


def _disk() -> Check:
    free_gib = shutil.disk_usage(ROOT).free / GIB
    enough = free_gib >= DISK_WANTED_GIB
    to_do = "" if enough else f"free {DISK_WANTED_GIB} GiB, or remove old folders of runs/"
    return Check("free disk", enough, f"{free_gib:.1f} GiB", to_do, needed=False)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
