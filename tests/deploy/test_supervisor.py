"""What needs no live cluster to be seen of the supervisor: a full disk, a dead generator, a quota, an early end."""

from __future__ import annotations

import asyncio
import contextlib
import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.cluster import ClusterError, _wait_until_up
from deploy.local import supervisor as supervision
from deploy.local.cpu_groups import NoGroups
from deploy.local.process import Process
from deploy.local.site import Layout
from deploy.local.spec import Alive, Layer, PartSpec, Ready
from deploy.local.status import PartState
from deploy.local.supervisor import Impossible, Supervisor
from deploy.local.traces import read_state
from deploy.topology import Restarts, Topology
from tests.servers import eventually

FULL = Path("/dev/full")
NAME = "sleeper"


class Unbounding(NoGroups):
    """Takes every quota and applies none."""

    def bound(self, path: str, cores: float | None) -> None:
        pass


class Desk:
    """A supervisor with one part that does nothing."""

    def __init__(self, directory: Path) -> None:
        self.layout, groups = Layout(directory), Unbounding("not applied")
        self.layout.make()
        self.supervisor = Supervisor(self.layout, Topology(), groups)
        self.configuration = self.layout.config / "part.conf"
        spec = PartSpec(
            NAME, NAME, Layer.KEPT, ("/bin/sleep", "1000"), Ready(1, command=("/bin/true",)), Alive(1, b"?"),
            Restarts(restarts_max=1_000, backoff_first_s=0.01, backoff_max_s=0.05), files={self.configuration: "its"},
        )  # fmt: skip
        self.part = Process(spec, self.layout.log(NAME), groups, self.supervisor._happened)
        self.supervisor._fleet.processes[NAME] = self.part

    async def ask(self, do: str, **more: object) -> object:
        return await self.supervisor.answer({"do": do, **more}, lambda _: None)

    def is_noted(self) -> bool:
        state = read_state(self.layout)
        return state is not None and state["parts"][NAME]["pid"] == self.part.pid

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """For the part's configuration, the supervisor's log and its state file."""
        paths = (self.configuration, self.layout.state.with_suffix(".new"))
        with pytest.MonkeyPatch.context() as patch, io.TextIOWrapper(FULL.open("wb", 0), write_through=True) as stderr:
            patch.setattr(sys, "stderr", stderr)
            for path in paths:
                path.unlink(missing_ok=True)
                path.symlink_to(FULL)
            yield
            for path in paths:
                path.unlink()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "cluster")


async def test_a_part_that_dies_while_the_disk_is_full_is_back_when_it_is_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "HOUSEKEEPING_EVERY_S", 0.01)
    await desk.part.start()
    house = asyncio.create_task(desk.supervisor.keep_house())
    with desk.full_disk():
        desk.part.send(signal.SIGKILL)
        await eventually(lambda: "could not be started: [Errno 28]" in desk.part.said, "no room for its configuration")
    await eventually(lambda: desk.part.state is PartState.UP, "the part is up")
    await eventually(desk.is_noted, "the part is in the state file")
    assert (desk.configuration.read_text(), house.done()) == ("its", False)
    house.cancel()
    await desk.part.stop(0.0)


async def test_who_got_the_pid_of_a_generator_that_ended_is_not_signalled(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await asyncio.create_subprocess_exec("/bin/sleep", "1000")
    await desk.ask("place", pid=other.pid)
    with monkeypatch.context() as patch:
        patch.setattr(supervision, "start_ticks", lambda _: 1)  # it started at another time than what was placed
        with pytest.raises(Impossible, match="no generator is at work"):
            await desk.ask("signal", part="generator", signal=signal.SIGKILL, whole=True)
    assert other.returncode is None
    await desk.ask("signal", part="generator", signal=signal.SIGTERM, whole=True)
    assert await other.wait() == -signal.SIGTERM


async def test_a_part_that_a_renewal_keeps_has_the_topologys_quota_again(desk: Desk) -> None:
    await desk.ask("quota", part=NAME, cores=0.5)
    assert desk.part.cpu_quota_cores == 0.5
    desk.supervisor._fleet._apply_quotas()
    assert desk.part.cpu_quota_cores is None


def test_of_a_supervisor_that_ends_without_a_word_its_log_is_named(tmp_path: Path) -> None:
    silent = subprocess.Popen(["/bin/sh", "-c", "exit 3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with pytest.raises(ClusterError, match=r"ended with exit 3; see .*supervisor\.jsonl"):
        _wait_until_up(silent, Topology(), lambda _: None, Layout(tmp_path).log("supervisor"))
