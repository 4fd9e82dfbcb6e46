"""A power cut takes what was not synced and nothing else; a server that does not sync is seen to lose its promises."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.install import engine
from tests.power_cut import shim
from tests.servers import Postgres, postgres_server
from tests.target_system.engine.server import EngineServer

ORDERS = 50

Preload = Callable[[Path, bool], Path]


@pytest.fixture
def preload(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Preload:
    """Every server started from now on keeps an undo log of what it writes below `root`; gives the logs' folder."""

    def start(root: Path, lie: bool) -> Path:
        undo = root.parent / f"{root.name}-undo"
        for name, value in shim.environment(library, root, undo).items():
            monkeypatch.setenv(name, value)
        if lie:
            shim.begin_lying(undo)
        return undo

    return start


def kill_all(pid: int) -> None:
    """kill -9 of a process and all its children, and their end."""
    parent = psutil.Process(pid)
    family = [parent, *parent.children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGKILL)
    assert psutil.wait_procs(family, timeout=10)[1] == []


WRITES = """
import os, sys
kept = os.open(sys.argv[1] + "/kept", os.O_RDWR | os.O_CREAT)
os.write(kept, b"synced")
os.fdatasync(kept)
os.write(kept, b" and not")
os.pwrite(kept, b"SYN", 0)
os.ftruncate(kept, 2)
never = os.open(sys.argv[1] + "/never", os.O_RDWR | os.O_CREAT)
os.write(never, b"never synced")
"""


@pytest.mark.parametrize(("lie", "left"), [(False, b"synced"), (True, b"")])
def test_only_what_was_synced_is_left(preload: Preload, tmp_path: Path, lie: bool, left: bytes) -> None:
    root = tmp_path / "root"
    root.mkdir()
    undo = preload(root, lie)
    subprocess.run([sys.executable, "-c", WRITES, str(root)], check=True)
    assert (root / "kept").read_bytes() == b"SY"
    shim.cut(root, undo)
    assert ((root / "kept").read_bytes(), (root / "never").read_bytes()) == (left, b"")


@pytest.fixture
def synced_postgres() -> Iterator[Postgres]:
    with postgres_server(fsync=True) as server:
        yield server


def rows_after_restart(server: Postgres) -> int:
    """How many promised rows come back; none where so much is gone that the server cannot recover."""
    try:
        server.start()
    except RuntimeError:
        return 0
    with psycopg.connect(server.dsn("ledger")) as connection:
        found = connection.execute("SELECT count(*) FROM promised").fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize("lie", [False, True])
def test_postgres_keeps_every_committed_row_unless_its_disk_lies(
    synced_postgres: Postgres, preload: Preload, monkeypatch: pytest.MonkeyPatch, lie: bool
) -> None:
    server = synced_postgres
    assert server.process is not None
    with psycopg.connect(server.dsn("ledger"), autocommit=True) as connection:
        connection.execute("CREATE TABLE promised (n int)")
        connection.execute("CHECKPOINT")
    server.kill()
    undo = preload(server.folder / "data", lie)
    server.start()
    with psycopg.connect(server.dsn("ledger"), autocommit=True) as connection:
        for n in range(ORDERS):
            connection.execute("INSERT INTO promised VALUES (%s)", (n,))
    kill_all(server.process.pid)
    assert shim.cut(server.folder / "data", undo)
    monkeypatch.delenv("LD_PRELOAD")
    (server.folder / "data/postmaster.pid").unlink(missing_ok=True)
    assert rows_after_restart(server) == (0 if lie else ORDERS)


@pytest.mark.parametrize("lie", [False, True])
def test_the_engine_keeps_every_result_it_gave_unless_its_disk_lies(
    preload: Preload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: bool
) -> None:
    journal = tmp_path / "journal"
    undo = preload(journal, lie)
    server = EngineServer.start(engine.engine_dir(), journal)
    given = [server.buy(100 + n, 1).sequence for n in range(ORDERS)]
    kill_all(server.process.pid)
    assert ("journal.log" in shim.cut(journal, undo)) == lie
    monkeypatch.delenv("LD_PRELOAD")
    if lie:
        replay = [engine.engine_dir() / "engine-replay", "--journal", journal]
        assert f'"commands": {ORDERS}' not in subprocess.run(replay, capture_output=True, text=True).stdout
        return
    again = EngineServer.start(engine.engine_dir(), journal)
    found = [result.sequence for result in again.results(1, ORDERS)]
    kill_all(again.process.pid)
    assert found == given
