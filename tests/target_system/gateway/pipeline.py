"""Engine, settler and two gateways as processes, on the shared Postgres and Redis."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa

from deploy.install.engine import engine_dir
from target_system.ledger.keys import create_keys
from target_system.ledger.reconcile import Reconciliation, Stores, reconcile, wait_until_settled
from tests.servers import free_port, stop, wait_until

SYMBOLS = ("AAPL", "MSFT", "ZM")
ROOT = Path(__file__).parents[3]


@dataclass
class Pipeline:
    """Engine, settler and two gateways as processes of their own."""

    dsn: str
    redis_url: str
    folder: Path
    keys: dict[int, str]
    engine_port: int = field(default_factory=free_port)
    gateway_ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: list[str], **environment: object) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env=os.environ | {k: str(v) for k, v in environment.items()}
            )

    def start_engine(self) -> None:
        listen, metrics = f"127.0.0.1:{self.engine_port}", f"127.0.0.1:{free_port()}"
        self.start(
            "engine",
            [str(engine_dir() / "engine"), "--listen", listen, "--metrics", metrics, "--journal",
             str(self.folder / "journal"), "--symbols", ",".join(SYMBOLS)],
        )  # fmt: skip

    def start_gateway(self, number: int, drain_ms: int = 300) -> None:
        self.start(
            f"gateway-{number}", [sys.executable, "-m", "target_system.gateway"], GATEWAY_NAME=f"gateway-{number}",
            GATEWAY_PORT=self.gateway_ports[number], GATEWAY_PRICE_TICKS_MAX=10_000, GATEWAY_DRAIN_MS=drain_ms,
            GATEWAY_REDIS_DEADLINE_MS=5_000, **self._common("GATEWAY"),
        )  # fmt: skip

    def start_settler(self) -> None:
        self.start(
            "settler", [sys.executable, "-m", "target_system.ledger.settler"], SETTLER_PORT=free_port(),
            **self._common("SETTLER"),
        )  # fmt: skip

    def _common(self, prefix: str) -> dict[str, object]:
        return {
            f"{prefix}_LEDGER_DSNS": json.dumps([self.dsn]), f"{prefix}_REDIS_URL": self.redis_url,
            f"{prefix}_ENGINE_TARGET": f"127.0.0.1:{self.engine_port}", f"{prefix}_SYMBOLS": json.dumps(SYMBOLS),
        }  # fmt: skip

    def is_ready(self, number: int) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.gateway_ports[number]}/readyz").status_code == 200
        return False

    def stores(self) -> Stores:
        return Stores((self.dsn,), self.redis_url, None, f"127.0.0.1:{self.engine_port}")

    def reconcile(self, acks: list[dict[str, Any]]) -> Reconciliation:
        assert wait_until_settled(self.stores(), 20) is None
        results, books = self.folder / "results.jsonl", self.folder / "books.json"
        subprocess.run(
            [engine_dir() / "engine-replay", "--journal", self.folder / "journal", "--results", results,
             "--books", books],
            check=True, capture_output=True,
        )  # fmt: skip
        return reconcile(pa.Table.from_pylist(acks), self.stores(), results, books)


@contextlib.contextmanager
def open_pipeline(ledger_dsn: str, redis_url: str, folder: Path) -> Iterator[Pipeline]:
    opened = Pipeline(ledger_dsn, redis_url, folder, create_keys(ledger_dsn, range(1, 9)))
    try:
        opened.start_gateway(0)  # before its servers: the order of starting must not matter
        opened.start_settler()
        opened.start_engine()
        opened.start_gateway(1)
        for number in (0, 1):
            wait_until(lambda n=number: opened.is_ready(n), f"gateway {number} is ready")
        yield opened
    finally:
        for process in opened.processes.values():
            process.terminate()
        for process in opened.processes.values():
            stop(process)
