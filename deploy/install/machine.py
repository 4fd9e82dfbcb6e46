"""What the machine itself offers: cores, memory, disk, and whether CPU quotas can be applied."""

from __future__ import annotations

import os
import shutil

from deploy.install.part import ROOT, Check
from deploy.local.cpu_groups import NoGroups, discover

CORES_WANTED = 2
MEMORY_WANTED_GIB = 4
DISK_WANTED_GIB = 10  # most of it for building Loki, once
GIB = 1 << 30


def checks() -> list[Check]:
    return [_cores(), _memory(), _disk(), quotas()]


def quotas() -> Check:
    """Tried out, not guessed: a group is made and removed again."""
    groups = discover(f"doctor-{os.getpid()}")
    groups.remove()
    if isinstance(groups, NoGroups):
        to_do = "run as root, or have systemd delegate the cpu controller; sweeps are limited by the host until then"
        return Check("cpu quotas", False, groups.word, to_do, needed=False)
    return Check("cpu quotas", True, groups.word, needed=False)


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
