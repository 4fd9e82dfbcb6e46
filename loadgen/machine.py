"""The facts of this machine and this checkout that a run must carry: runs from unlike machines are not compared.

`fsync_per_s` comes from Postgres's own pg_test_fsync in the directory where the ledger lies, so that a disk that only
says it has written shows as what it is.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from loadgen.record import Machine

PG_TEST_FSYNC = Path("/usr/lib/postgresql/15/bin/pg_test_fsync")
ROOT = Path(__file__).resolve().parent.parent
FSYNC_LINE = re.compile(r"^\s+(\w+)\s+([\d.]+) ops/sec")
FSYNC_DEADLINE_S = 30.0


def machine_facts(data: Path, quotas: str) -> Machine:
    """`data` is where the ledger's files lie; `quotas` the cluster's word on how CPU quotas are applied."""
    memory_kib = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        model=model[1] if model else platform.machine(),
        memory_bytes=int(memory_kib[1]) * 1024 if memory_kib else 0,
        kernel=platform.release(),
        disk=disk_below(data),
        fsync_per_s=fsync_rates(data),
        quotas=quotas,
    )


def disk_below(path: Path) -> str:
    """`ext4 on /dev/vda`: what the longest mount point above the path is."""
    mounts = [line.split()[:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    above = [(point, kind, device) for device, point, kind in mounts if path.resolve().is_relative_to(point)]
    _, kind, device = max(above, key=lambda mount: len(mount[0]))
    return f"{kind} on {device}"


def fsync_rates(folder: Path) -> dict[str, float]:
    """Method → 8 kB writes synced a second, one second a method; empty where the program is missing."""
    if not PG_TEST_FSYNC.exists():
        return {}
    file = folder / "pg_test_fsync.out"
    command = [str(PG_TEST_FSYNC), "-s", "1", "-f", str(file)]
    rates: dict[str, float] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            if "two 8kB writes" in line:
                break
            if found := FSYNC_LINE.match(line):
                rates[found[1]] = float(found[2])
        program.terminate()
        program.wait(FSYNC_DEADLINE_S)
    file.unlink(missing_ok=True)
    return rates


def commit() -> str:
    """The checkout's commit, `-dirty` where its tree has changes, "unknown" outside a checkout."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False, timeout=10
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        head = git("rev-parse", "HEAD")
        return f"{head}-dirty" if head and git("status", "--porcelain") else head or "unknown"
    except FileNotFoundError:
        return "unknown"
