"""Workers on other hosts, reached by ssh: they load as one here would, on one clock, and end with their connection."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import msgspec
import numpy as np
import psutil
import pytest

from loadgen.arrivals import parsed, schedule
from loadgen.assignment import Ended, Second, Started
from loadgen.generator import Generator, GeneratorError
from loadgen.workers import Clock, clock_of
from tests.loadgen.exchange import Exchange
from tests.loadgen.test_open_loop import OPEN
from tests.loadgen.test_users import Loaded, load
from tests.servers import free_port, wait_until

ROOT = Path(__file__).parents[2]
AHEAD_S = 5
A_CLOCK_AHEAD = f"import time; now = time.time_ns; time.time_ns = lambda: now() + {AHEAD_S * 10**9}\n"
DEADLINE_S = 20.0
SLEWED_NS = 2_000_000
"""What the wall clock may gain on the monotonic one meanwhile."""
CONFIG = """\
Host h1
  HostName 127.0.0.1
  Port {port}
  User trader
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known
"""


@dataclass
class Host:
    """An ssh server, with keys of its own, that runs what it is told on this machine, its clock 5 s ahead."""

    folder: Path
    port: int = field(default_factory=free_port)
    pids: list[int] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)

    def __enter__(self) -> Host:
        own, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        client.write_private_key(self.folder / "key")
        (self.folder / "key").chmod(0o600)
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {own.export_public_key().decode()}")
        (self.folder / "config").write_text(CONFIG.format(port=self.port, folder=self.folder))
        (self.folder / "ahead").mkdir()
        (self.folder / "ahead" / "sitecustomize.py").write_text(A_CLOCK_AHEAD)
        ssh = self.folder / "bin" / "ssh"
        ssh.parent.mkdir()
        ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.folder}/config "$@"\n')
        ssh.chmod(0o755)
        allowed = asyncssh.import_authorized_keys(client.export_public_key().decode())
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

        async def listen() -> None:
            await asyncssh.listen(
                "127.0.0.1", self.port, server_factory=lambda: Forwarding(self._connections), server_host_keys=[own],
                authorized_client_keys=allowed, process_factory=self._run, encoding=None,
            )  # fmt: skip

        asyncio.run_coroutine_threadsafe(listen(), self._loop).result(DEADLINE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        wait_until(lambda: not self.alive(), "what ran there ends with its connection", DEADLINE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def cut(self) -> None:
        """Every connection breaks."""
        for connection in self._connections:
            self._loop.call_soon_threadsafe(connection.abort)

    def alive(self) -> list[int]:
        return [pid for pid in self.pids if psutil.pid_exists(pid)]

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_shell(
            process.command or "", stdin=pipe, stdout=pipe, stderr=pipe, cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder / "ahead")},
        )  # fmt: skip
        self.pids.append(child.pid)
        try:
            await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
            process.exit(await child.wait())
        finally:
            if child.stdin:
                child.stdin.close()
            await child.wait()


class Forwarding(asyncssh.SSHServer):
    def __init__(self, connections: list[asyncssh.SSHServerConnection]) -> None:
        self._connections = connections

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connections.append(conn)

    def server_requested(self, listen_host: str, listen_port: int) -> bool:  # noqa: ARG002
        return True


@pytest.fixture
def host(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    with Host(tmp_path_factory.mktemp("host")) as there:
        monkeypatch.setenv("PATH", f"{there.folder}/bin:{os.environ['PATH']}")
        yield there


def two(port: int, where: str = f"h1:{ROOT}") -> object:
    """One worker here, one there."""
    return msgspec.structs.replace(OPEN, port=port, workers=2, hosts=(where,))


def started(loaded: Loaded) -> Started:
    return next(report for report in loaded.reports if isinstance(report, Started))


def test_a_worker_on_another_host_sends_its_part_of_the_schedule_by_our_clock(tmp_path: Path, host: Host) -> None:
    with Exchange() as server:
        loaded = load(tmp_path, two(server.port))
        came_ns = {one.body.get("client_order_id"): one.at_ns for one in server.asked}
    assert loaded.outcomes() == {"ok": 400}
    (joined,) = started(loaded).joined
    assert joined.host == f"h1:{ROOT}"
    assert abs(joined.clock_ahead_ns - AHEAD_S * 10**9) <= joined.clock_error_ns
    orders = [ack for ack in loaded.acks if ack["kind"] == "new"]
    sent_ns, at_ns, answered_ns = np.array(
        [(ack["sent_ns"], came_ns[ack["client_order_id"]], ack["answered_ns"]) for ack in orders]
    ).T
    error_ns = joined.clock_error_ns + SLEWED_NS
    assert (at_ns - sent_ns).min() >= -error_ns
    assert (answered_ns - at_ns).min() >= -error_ns
    wanted = np.concatenate(list(schedule(parsed(OPEN.arrivals or {}), OPEN.seed, OPEN.warm_up_s, OPEN.duration_s)))
    assert np.abs(np.sort(loaded.receipts["intended_ns"]) - (wanted + started(loaded).started_ns)).max() < 1_000_000
    seconds = [report for report in loaded.reports if isinstance(report, Second)]
    assert max(second.workers_lost for second in seconds) == 0


def test_a_host_whose_connection_breaks_is_a_lost_worker_and_nothing_is_left_there(tmp_path: Path, host: Host) -> None:
    told = msgspec.structs.replace(two(1), receipts=str(tmp_path / "receipts"), duration_s=4.0)
    lost, ended = [], 0
    with (
        Exchange() as server,
        Generator(msgspec.structs.replace(told, port=server.port), lambda _: None, tmp_path / "log") as generator,
    ):
        for report in generator:
            if isinstance(report, Started):
                host.cut()
            if isinstance(report, Second):
                lost.append(report.workers_lost)
            ended += isinstance(report, Ended)
    assert (max(lost), ended) == (1, 1)
    wait_until(lambda: not host.alive(), "the worker there ends", DEADLINE_S)


def test_a_host_that_cannot_be_reached_is_named_with_what_ssh_says(tmp_path: Path, host: Host) -> None:
    with pytest.raises(
        GeneratorError, match=r"the worker on nowhere.invalid:lab ended with code 255 .*nowhere.invalid"
    ):
        load(tmp_path, two(1, "nowhere.invalid:lab"))


def test_a_checkout_unlike_ours_is_refused(tmp_path: Path, host: Host) -> None:
    shutil.copytree(ROOT / "loadgen", host.folder / "lab" / "loadgen", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("target_system", "deploy", "requirements.lock", ".venv"):
        (host.folder / "lab" / name).symlink_to(ROOT / name)
    with (host.folder / "lab" / "loadgen" / "timer.py").open("a") as file:
        file.write("# of another day\n")
    with pytest.raises(GeneratorError, match="h1:lab: its checkout is not like this one; bring both to"):
        load(tmp_path, two(1, "h1:lab"))


def test_of_several_exchanges_the_quickest_tells_the_clock() -> None:
    assert clock_of([(100, 1_080, 200), (300, 1_210, 310), (400, 1_500, 490)]) == Clock(905, 5)
