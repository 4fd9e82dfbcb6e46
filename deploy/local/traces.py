"""What a cluster leaves on the machine, written down while it lives, so that it can be removed after any crash.

A process is named by its pid and the moment it started: a pid that the machine has given to another since is never
signalled. CPU groups are found by the cluster's name, everything else lies in its directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deploy.local.cpu_groups import CpuGroups, discover
from deploy.local.launch import start_ticks
from deploy.local.site import Layout, write_whole

END_DEADLINE_S = 5.0
HOLD_DEADLINE_S = 2.0
POLL_S = 0.02


def hold(layout: Layout) -> int | None:
    """Lock the directory for the rest of this process, or until the descriptor is closed. None: a supervisor has it.

    One that has just ended may keep it for a moment, until the last of its threads is gone.
    """
    handle = os.open(layout.directory, os.O_RDONLY | os.O_DIRECTORY)
    deadline = time.monotonic() + HOLD_DEADLINE_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(handle)
                return None
            time.sleep(POLL_S)
        else:
            return handle


def note(layout: Layout, supervisor_pid: int, parts: dict[str, int], more: dict[str, Any]) -> None:
    """Write the state file: what runs (part → pid) and what readers want to know."""
    named = {name: {"pid": pid, "start_ticks": start_ticks(pid)} for name, pid in parts.items()}
    supervisor = {"pid": supervisor_pid, "start_ticks": start_ticks(supervisor_pid)}
    write_whole(layout.state, {"boot": boot(), "supervisor": supervisor, "parts": named, **more})


def boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def read_state(layout: Layout) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads(layout.state.read_text())
    except (OSError, ValueError):
        return None
    return state


def remove_all(layout: Layout, groups: CpuGroups | None = None) -> None:
    """End what a dead cluster left running, then remove its groups and files. The supervisor must have ended."""
    state = read_state(layout)
    if state is not None and state["boot"] == boot():
        _end(state["parts"].values())
    (groups or discover(layout.name)).remove()
    layout.remove()


def _end(processes: Iterable[dict[str, int]]) -> None:
    """Ask first, so that Postgres takes its shared memory along; then force."""
    left = [process for process in processes if _is_running(process)]
    for signum in (signal.SIGQUIT, signal.SIGKILL):
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process["pid"], signum)
        deadline = time.monotonic() + END_DEADLINE_S
        while left and time.monotonic() < deadline:
            left = [process for process in left if _is_running(process)]
            time.sleep(POLL_S)


def _is_running(process: dict[str, int]) -> bool:
    return process["start_ticks"] is not None and start_ticks(process["pid"]) == process["start_ticks"]
