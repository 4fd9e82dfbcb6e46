"""Clusters for tests, and the proof that one has left nothing on the machine."""

from __future__ import annotations

import contextlib
import json
import socket
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from deploy.cluster import Cluster
from deploy.local.site import Layout
from deploy.topology import Topology

DEADLINE_S = 30.0
SMALL = Topology().path_alone()


def until(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """The first true value of the condition."""
    deadline = time.monotonic() + deadline_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {deadline_s:g} s: {what}"
        time.sleep(0.05)


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


@dataclass
class Footprint:
    """All that a live cluster holds: processes by pid and start, ports, CPU groups."""

    directory: Path
    processes: list[psutil.Process] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, cluster: Cluster) -> Footprint:
        addresses = cluster._described["addresses"].values()
        supervisor = psutil.Process(cluster._supervisor_pid)
        processes = [supervisor, *supervisor.children(recursive=True)]
        return cls(cluster.directory, processes, [int(address.rpartition(":")[2]) for address in addresses])

    def left(self) -> list[str]:
        """What of it is still there; a process of the cluster that was not there at the start counts as well."""
        found = [f"process {process.pid}" for process in self.processes if is_running(process)]
        found += [f"process {pid}" for pid in processes_that_name(self.directory)]
        found += [f"port {port}" for port in self.ports if is_open(port)]
        found += [f"group {group}" for group in Path("/sys/fs/cgroup").glob(f"*/{Layout(self.directory).name}")]
        return found

    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir()) if self.directory.exists() else []


def is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def processes_that_name(directory: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = [*process.cmdline(), *process.environ().values()]
            if process.status() != psutil.STATUS_ZOMBIE and any(str(directory) in word for word in words):
                found.append(process.pid)
    return found


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
