"""How one part is to run: a value that the plan makes and `Process` carries out."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from deploy.local.cpu_groups import Limit
from deploy.topology import Restarts

UNLIMITED = Limit()


class Layer(StrEnum):
    """What `renew` does with a part."""

    PATH = "path"  # stopped and started anew
    KEPT = "kept"  # goes on as long as its own specification stays the same
    BESIDE = "beside"  # goes on


@dataclass(frozen=True, slots=True)
class Ready:
    """How a part shows that it answers: HTTP 2xx at `path`, a program that exits 0, or merely an open port."""

    port: int
    path: str | None = None
    command: tuple[str, ...] = ()
    deadline_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Alive:
    """How a part is asked whether it lives: these bytes, any byte back. A frozen one still takes connections."""

    port: int
    ask: bytes

    @classmethod
    def by_http(cls, port: int, path: str) -> Alive:
        return cls(port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())


@dataclass(frozen=True, slots=True)
class PartSpec:
    name: str
    component: str
    layer: Layer
    command: tuple[str, ...]
    ready: Ready
    alive: Alive
    restarts: Restarts
    group: str = ""  # of CPU, below the cluster's; empty: the name
    limit: Limit = UNLIMITED
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[Path, str] = field(default_factory=dict)  # its configuration, written before it starts
    disk_control: Path | None = None  # where it is told of disk faults, if it runs with them
    pool_file: Path | None = None  # where a gateway is told how many connections may work
    unprivileged: bool = False  # refuses to run as root
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL  # what the kernel sends it when the supervisor dies

    @property
    def cpu_group(self) -> str:
        return self.group or self.name

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.ready.port}"
