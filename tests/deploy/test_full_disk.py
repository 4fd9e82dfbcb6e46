"""A machine whose disk is full for a while is supervised all the same."""

from __future__ import annotations

import asyncio
import contextlib
import io
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import supervisor as supervision
from deploy.local.cpu_groups import NoGroups
from deploy.local.process import Process
from deploy.local.site import Layout
from deploy.local.spec import Alive, Layer, PartSpec, Ready
from deploy.local.status import PartState
from deploy.local.supervisor import Supervisor
from deploy.local.traces import read_state
from deploy.topology import Restarts, Topology
from tests.servers import eventually

FULL = Path("/dev/full")


class Disk:
    """All that is written while a part is kept: its configuration, the supervisor's log and its state file."""

    def __init__(self, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
        self.configuration = layout.config / "part.conf"
        self._unfinished_state = layout.state.with_suffix(".new")
        self._monkeypatch = monkeypatch

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        with self._monkeypatch.context() as patch, io.TextIOWrapper(FULL.open("wb", 0), write_through=True) as stderr:
            patch.setattr(sys, "stderr", stderr)
            for path in (self.configuration, self._unfinished_state):
                path.unlink(missing_ok=True)
                path.symlink_to(FULL)
            yield
            for path in (self.configuration, self._unfinished_state):
                path.unlink()


def noted(layout: Layout, pid: int | None) -> bool:
    state = read_state(layout)
    return state is not None and state["parts"]["sleeper"]["pid"] == pid


async def test_a_part_that_dies_while_the_disk_is_full_is_back_when_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "HOUSEKEEPING_EVERY_S", 0.01)
    layout, groups = Layout(tmp_path / "cluster"), NoGroups("not applied")
    layout.make()
    supervisor, disk = Supervisor(layout, Topology(), groups), Disk(layout, monkeypatch)
    spec = PartSpec(
        "sleeper", "sleeper", Layer.PATH, ("/bin/sleep", "1000"), Ready(1, command=("/bin/true",)), Alive(1, b"?"),
        Restarts(restarts_max=1_000, backoff_first_s=0.01, backoff_max_s=0.05), files={disk.configuration: "its own"},
    )  # fmt: skip
    process = Process(spec, layout.log("sleeper"), groups, supervisor._happened)
    supervisor._fleet.processes["sleeper"] = process
    await process.start()
    house = asyncio.create_task(supervisor.keep_house())
    with disk.full():
        process.send(signal.SIGKILL)
        await eventually(lambda: "could not be started: [Errno 28]" in process.said, "no room for its configuration")
    await eventually(lambda: process.state is PartState.UP, "the part is up")
    await eventually(lambda: noted(layout, process.pid), "the part is in the state file")
    assert (disk.configuration.read_text(), house.done()) == ("its own", False)
    house.cancel()
    await process.stop(0.0)
    assert process.pid is None
