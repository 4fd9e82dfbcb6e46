"""Real servers for tests: an own Postgres and Redis on free ports, stopped at the end; and waiting for a thing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import redis

from target_system.history.migrate import migrate as migrate_history
from target_system.ledger.migrate import migrate

POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
START_DEADLINE_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def json_lines(file: Path) -> list[Any]:
    """Of a file that somebody writes meanwhile: what is whole."""
    return [json.loads(line) for line in file.read_text().split("\n")[:-1]] if file.exists() else []


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = START_DEADLINE_S) -> None:
    until = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} within {deadline_s} s")
        time.sleep(0.01)


async def eventually(condition: Callable[[], bool], what: str, deadline_s: float = START_DEADLINE_S) -> None:
    """`wait_until` for tests that run in an event loop."""
    until = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} within {deadline_s} s")
        await asyncio.sleep(0.01)


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def as_postgres() -> list[str]:
    """What to put before a command of Postgres, which refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return [
        "setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups",
        "--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search",
    ]  # fmt: skip


@dataclass
class Postgres:
    folder: Path
    port: int
    fsync: bool = False
    process: subprocess.Popen[bytes] | None = None
    _names: Iterator[int] = field(default_factory=count)

    def start(self) -> None:
        """RuntimeError where it ends instead of answering."""
        options = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": 200,
            "fsync": "on" if self.fsync else "off", "shared_buffers": "64MB",
        }  # fmt: skip
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*as_postgres(), POSTGRES_BIN / "postgres", "-D", self.folder / "data", *flags], stderr=log, cwd="/"
            )
        wait_until(lambda: self.answers() or self.has_ended(), "postgres answers")
        if self.has_ended():
            raise RuntimeError(f"postgres ended: {(self.folder / 'log').read_text()[-2000:]}")

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.dsn("postgres"), connect_timeout=2):
            return True
        return False

    def kill(self) -> None:
        """As a power cut would, but for the page cache."""
        assert self.process is not None
        stop(self.process, signal.SIGQUIT)

    def dsn(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_ledger(self) -> str:
        """The DSN of an empty ledger with the schema."""
        name = f"ledger_{next(self._names)}"
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE ledger")
        return self.dsn(name)


@contextlib.contextmanager
def postgres_server(fsync: bool = False) -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="lab-postgres-"))
    server = Postgres(folder, free_port(), fsync)
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        subprocess.run(
            [*as_postgres(), POSTGRES_BIN / "initdb", "-D", folder / "data", "-U", "postgres", "--auth=trust",
             "--no-sync", "--locale=C.UTF-8", "--encoding=UTF8"],
            check=True, capture_output=True, cwd="/",
        )  # fmt: skip
        server.start()
        with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE ledger")
        migrate(server.dsn("ledger"))
        migrate_history(server.dsn("ledger"))
        yield server
    finally:
        if server.process:
            stop(server.process, signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Redis:
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL, cwd="/tmp",
        )  # fmt: skip
        wait_until(self.answers, "redis answers")

    def answers(self) -> bool:
        with contextlib.suppress(redis.ConnectionError), self.client() as client:
            return bool(client.ping())
        return False

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def kill(self) -> None:
        assert self.process is not None
        stop(self.process, signal.SIGKILL)


@contextlib.contextmanager
def redis_server() -> Iterator[Redis]:
    server = Redis(free_port())
    try:
        server.start()
        yield server
    finally:
        if server.process:
            stop(server.process)
