"""Where one cluster lives on this machine: its directory, its ports, its secrets, the programs it runs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import secrets
import shutil
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from deploy.install.engine import engine_dir
from deploy.install.tools import tool
from deploy.topology import Topology

PORT_FIRST = 20_000  # below the range from which the kernel takes the ports of outgoing connections
PORT_BLOCK = 128
PORT_BLOCKS = 96
POSTGRES_PROGRAMS = Path("/usr/lib/postgresql/15/bin")
LEDGER = "ledger"
LEDGER_TEMPLATE = "ledger_template"
ADMIN, OWNER, EXPORTER = "lab_admin", "lab", "lab_exporter"


class SiteError(Exception):
    """This machine lacks something that the cluster needs; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The cluster's directory. Everything in it but the logs is removed when the cluster goes down."""

    directory: Path

    @property
    def config(self) -> Path:
        return self.directory / "config"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def secrets(self) -> Path:
        return self.directory / "secrets"

    @property
    def state(self) -> Path:
        return self.directory / "state.json"

    @property
    def socket(self) -> Path:
        return self.directory / "control.sock"

    @property
    def front(self) -> Path:
        """Where HAProxy takes commands."""
        return self.directory / "front.sock"

    @property
    def name(self) -> str:
        """One name a directory, for what lives outside it: the CPU groups."""
        return f"trading-lab-{hashlib.sha256(str(self.directory).encode()).hexdigest()[:10]}"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.jsonl"

    def make(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        shutil.rmtree(self.logs, ignore_errors=True)
        for folder in (self.config, self.data, self.logs, self.secrets):
            folder.mkdir(mode=0o700)

    def remove(self) -> None:
        """All but the logs, which the next start clears."""
        for folder in (self.config, self.data, self.secrets):
            shutil.rmtree(folder, ignore_errors=True)
        self.state.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)
        self.front.unlink(missing_ok=True)


class Ports:
    """A block of ports that no other cluster on this machine takes, and a port of it for each listener by name.

    The block is claimed by an abstract socket, which the kernel frees with its process, so nothing stale can be left.
    """

    def __init__(self, fixed: Mapping[str, int]) -> None:
        self._by_name: dict[str, int] = {}
        self._fixed = dict(fixed)
        self._claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        for block in random.sample(range(PORT_BLOCKS), PORT_BLOCKS):
            with contextlib.suppress(OSError):
                self._claim.bind(f"\0trading-lab-ports-{block}")
                first = PORT_FIRST + block * PORT_BLOCK
                self._left = iter(range(first, first + PORT_BLOCK))
                return
        raise SiteError(f"all {PORT_BLOCKS} blocks of ports are taken by other clusters; take one down")

    def fix(self, fixed: Mapping[str, int]) -> None:
        self._fixed = dict(fixed)

    def of(self, name: str) -> int:
        """The listener's port: the fixed one, else one chosen at the first time of asking and kept."""
        if name in self._fixed:
            return self._fixed[name]
        if name not in self._by_name:
            self._by_name[name] = next((port for port in self._left if is_free(port)), 0)
            if not self._by_name[name]:
                raise SiteError(f"no free port is left for {name} among {PORT_BLOCK}; use fewer parts")
        return self._by_name[name]

    def taken(self, names: Iterable[str]) -> list[str]:
        """Which of these have a fixed port that somebody else holds."""
        return [
            f"ports.{name}: {self._fixed[name]} is in use on this machine; choose another, or leave it out"
            for name in names
            if name in self._fixed and not is_free(self._fixed[name])
        ]


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the rest of an old connection does no harm
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Secrets:
    """Files that only their owner may read, and connection strings that name them instead of holding a password."""

    passfile: Path
    admin_password_file: Path
    redis_password_file: Path
    grafana_password_file: Path
    api_keys: Path  # JSON: account → key
    aws_credentials: Path  # JSON: access key → secret key

    @classmethod
    def make(cls, folder: Path) -> Secrets:
        names = ("pgpass", "admin", "redis_password", "grafana_password", "api_keys.json", "aws_credentials.json")
        made = cls(*(folder / name for name in names))
        lines = [f"127.0.0.1:*:*:{user}:{secrets.token_urlsafe(24)}\n" for user in (ADMIN, OWNER, EXPORTER)]
        write_private(made.passfile, "".join(lines))
        write_private(made.admin_password_file, made.password(ADMIN))
        write_private(made.redis_password_file, secrets.token_urlsafe(24))
        aws_credentials = {f"AKID{secrets.token_hex(8).upper()}": secrets.token_urlsafe(30)}
        write_private(made.aws_credentials, json.dumps(aws_credentials))
        write_private(made.grafana_password_file, secrets.token_urlsafe(24))
        return made

    def password(self, user: str) -> str:
        passwords = {line.split(":")[3]: line.split(":")[4] for line in self.passfile.read_text().splitlines()}
        return passwords[user]

    def dsn(self, port: int, user: str = OWNER, database: str = LEDGER) -> str:
        return f"postgresql://{user}@127.0.0.1:{port}/{database}?passfile={quote(str(self.passfile), safe='')}"


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs are. Loki and the collector may be missing: the cluster then runs without them."""

    engine: Path
    loki: Path | None
    collector: Path | None
    toxiproxy: Path | None
    grafana: Path | None

    @classmethod
    def find(cls) -> Programs:
        return cls(engine_dir() / "engine", tool("loki"), tool("collector"), tool("toxiproxy"), grafana())

    def missing(self, topology: Topology) -> list[str]:
        servers = (Path("/usr/bin/redis-server"), Path("/usr/sbin/haproxy"))
        needed = (self.engine, POSTGRES_PROGRAMS / "postgres", *servers)
        found = [f"{program} is missing; make setup" for program in needed if not program.exists()]
        if topology.links and self.toxiproxy is None:
            found.append("links go through Toxiproxy, which is not built; make setup, or leave links out")
        return found


@dataclass(frozen=True, slots=True)
class Site:
    """All that the plan needs besides the code: pure data, a new one at each renewal."""

    topology: Topology
    layout: Layout
    ports: Mapping[str, int]
    secrets: Secrets
    programs: Programs
    generation: int  # of the order path; each has a journal of its own

    @property
    def journal(self) -> Path:
        return self.layout.data / f"journal-{self.generation}"

    @property
    def spans(self) -> Path:
        return self.layout.data / "spans.jsonl"

    @property
    def shards(self) -> range:
        return range(1, self.topology.ledger.shards + 1)

    @property
    def ledger_dsns(self) -> list[str]:
        return [self.secrets.dsn(self.ports[f"ledger-{shard}"]) for shard in self.shards]

    def way(self, origin: str, listener: str) -> int:
        """The port by which this component reaches a listener: Toxiproxy's where the topology has a proxy between."""
        return self.ports.get(f"{origin}-{listener}", self.ports[listener])

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.ports['redis']}/0"

    def has(self, server: str) -> bool:
        """Whether this server beside the path is wanted and there."""
        return bool(getattr(self.topology.observability, server)) and getattr(self.programs, server, True) is not None


def grafana() -> Path | None:
    """A Grafana on the path; newer ones are one program with subcommands."""
    found = shutil.which("grafana") or shutil.which("grafana-server")
    return Path(found) if found else None


def write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def write_whole(path: Path, content: object) -> None:
    """Readers see the old file or the new one, never half of it."""
    unfinished = path.with_suffix(".new")
    write_private(unfinished, json.dumps(content, indent=1))
    unfinished.rename(path)
