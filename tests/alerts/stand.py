"""A front with a real SQS (moto's) behind it, for tests: processes on free ports, ended with the block."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alerts.sns.targets import client
from tests.servers import free_port, stop, wait_until

ROOT = Path(__file__).parents[2]
ACCOUNT, REGION = "123456789012", "us-east-1"
KEY, SECRET = "AKIDLAB", "secret-of-the-lab"
TIME_SCALE = 100.0


@dataclass
class Stand:
    folder: Path
    sqs_port: int = field(default_factory=free_port)
    front_port: int = field(default_factory=free_port)
    subscribers_port: int = field(default_factory=free_port)
    functions: list[dict[str, Any]] = field(default_factory=list)
    time_scale: float = TIME_SCALE
    received: list[dict[str, Any]] = field(default_factory=list)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.front_port}"

    def start_sqs(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.sqs_port)]
        self.start("sqs", command, {}, f"http://127.0.0.1:{self.sqs_port}/moto-api/")

    def start_front(self, **settings: str) -> None:
        credentials = self.folder / "credentials.json"
        credentials.write_text(json.dumps({KEY: SECRET}))
        told = {
            "SNS_PORT": str(self.front_port),
            "SNS_ACCOUNT": ACCOUNT,
            "SNS_CREDENTIALS_FILE": str(credentials),
            "SNS_STATE_FILE": str(self.folder / "sns.sqlite"),
            "SNS_SQS_URL": f"http://127.0.0.1:{self.sqs_port}",
            "SNS_LAMBDA_URL": f"http://127.0.0.1:{self.subscribers_port}",
            "SNS_TIME_SCALE": str(self.time_scale),
            "SNS_EVALUATION_S": "0.2",
            "SNS_ANSWER_DEADLINE_S": "10",
            **settings,
        }
        self.start("front", [sys.executable, "-m", "alerts.sns"], told, f"{self.url}/healthz")

    def start_subscribers(self, **settings: str) -> None:
        self.received = []
        functions = self.folder / "functions.json"
        functions.write_text(json.dumps(self.functions))
        told = {
            "SUBSCRIBERS_PORT": str(self.subscribers_port),
            "SUBSCRIBERS_ACCOUNT": ACCOUNT,
            "SUBSCRIBERS_REGION": REGION,
            "SUBSCRIBERS_CREDENTIALS_FILE": str(self.folder / "credentials.json"),
            "SUBSCRIBERS_SNS_URL": self.url,
            "SUBSCRIBERS_FUNCTIONS_FILE": str(functions),
            "SUBSCRIBERS_CLUSTER_DIRECTORY": str(self.folder / "no-cluster"),
            "SUBSCRIBERS_LOG_DIRECTORY": str(self.folder),
            "SUBSCRIBERS_TIME_SCALE": str(self.time_scale),
            **settings,
        }
        self.start("subscribers", [sys.executable, "-m", "alerts.subscribers"], told, f"{self.subscribers_url}/readyz")

    @property
    def subscribers_url(self) -> str:
        return f"http://127.0.0.1:{self.subscribers_port}"

    def receipts(self) -> list[dict[str, Any]]:
        """All since the subscribers started; only the new ones are asked for."""
        last = self.received[-1]["order"] if self.received else 0
        with urllib.request.urlopen(f"{self.subscribers_url}/receipts?after={last}", timeout=5) as answer:
            self.received += json.load(answer)
        return self.received

    def start(self, name: str, command: list[str], environment: dict[str, str], ready_url: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log, cwd=ROOT)
        self.processes[name] = process
        wait_until(lambda: process.poll() is not None or answers(ready_url), f"{name} answers")
        assert process.poll() is None, (self.folder / f"{name}.log").read_text()[-2000:]

    def kill(self, name: str) -> None:
        stop(self.processes.pop(name), signal.SIGKILL)

    def client(self, service: str, region: str = REGION, secret: str = SECRET) -> Any:
        return client(service, self.url, region, KEY, secret, 10.0)


def answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as answer:
        return bool(answer.status == 200)
    return False


@contextlib.contextmanager
def a_stand(folder: Path, **front: str) -> Iterator[Stand]:
    """`front`: its settings where they are not those of `start_front`."""
    stand = Stand(folder)
    try:
        stand.start_sqs()
        stand.start_front(**front)
        yield stand
    finally:
        for process in stand.processes.values():
            stop(process)
