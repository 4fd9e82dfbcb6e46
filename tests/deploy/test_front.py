"""The throttle of a live HAProxy, changed by its control socket: HAProxy alone, with the lab's own configuration."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local import front
from deploy.local.front import FrontError
from deploy.render import render
from deploy.topology import Limits
from tests.alerts.stand import answers
from tests.servers import free_port, stop, wait_until

CONTROL = "front.sock"


@contextmanager
def haproxy(folder: Path, limits: Limits) -> Iterator[str]:
    port, metrics_port = free_port(), free_port()
    config = folder / "haproxy.cfg"
    config.write_text(render(
        "servers/haproxy.cfg", host="127.0.0.1", port=port, metrics_port=metrics_port, connections_max=100, queue_max=8,
        queue_timeout_ms=10, in_flight_max=8, gateways=[], streams=[],
        control=CONTROL, **limits.model_dump(),
    ))  # fmt: skip
    process = subprocess.Popen(["/usr/sbin/haproxy", "-C", str(folder), "-db", "-f", str(config)])
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{metrics_port}/alive"), "HAProxy answers")
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def status_of_an_order(url: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/orders", b"{}", method="POST"), timeout=5):
            return 200
    except urllib.error.HTTPError as error:
        return error.code


def test_what_is_admitted_in_a_second_is_asked_and_changed_while_it_runs(tmp_path: Path) -> None:
    with haproxy(tmp_path, Limits(per_key_per_s=None, total_per_s=1_000)) as url:
        control = tmp_path / CONTROL
        assert front.throttle_per_s(control) == 1_000
        assert {status_of_an_order(url) for _ in range(6)} == {503}  # admitted, and no gateway is there
        front.set_throttle(control, 2)
        assert front.throttle_per_s(control) == 2
        assert 429 in {status_of_an_order(url) for _ in range(6)}


def test_a_throttle_that_is_lifted_cannot_be_asked(tmp_path: Path) -> None:
    with (
        haproxy(tmp_path, Limits(per_key_per_s=5, total_per_s=None)),
        pytest.raises(FrontError, match="no throttle that could be changed"),
    ):
        front.set_throttle(tmp_path / CONTROL, 2)
