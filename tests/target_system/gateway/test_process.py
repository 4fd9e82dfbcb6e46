"""The gateway and the settler as processes, with the real engine: settings, SIGTERM, kill -9, the path reconciled."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg
import pytest

from target_system.ledger.reconcile import Reconciliation
from tests.servers import Postgres, stop, wait_until
from tests.target_system.gateway.pipeline import ROOT, SYMBOLS, Pipeline


def trade(pipeline: Pipeline, account: int, count: int, after: dict[int, Any]) -> list[dict[str, Any]]:
    """One client: orders that cross, repeated at the other gateway after any failure; the acknowledgements."""
    acks = []
    with httpx.Client(headers={"x-api-key": pipeline.keys[account]}, timeout=5) as client:
        for n in range(count):
            if n in after:
                after[n]()
            order = {
                "client_order_id": f"t{account}-{n}",
                "symbol": SYMBOLS[n % 3],
                "side": ("buy", "sell")[(n + account) % 2],
                "type": "limit",
                "price_ticks": 100 + n % 3,
                "quantity_lots": 1 + (n * account) % 9,
            }
            answer = insist(client, pipeline, order, n + account)
            said = answer.json()
            acks.append(
                {
                    "account": account, "client_order_id": order["client_order_id"], "kind": "new",
                    "order_id": said["order_id"], "sequence": said["sequence"], "is_acknowledged": True,
                    "is_in_doubt": False,
                }
            )  # fmt: skip
    return acks


def insist(client: httpx.Client, pipeline: Pipeline, order: dict[str, Any], turn: int) -> httpx.Response:
    for attempt in range(100):
        port = pipeline.gateway_ports[(turn + attempt) % 2]
        with contextlib.suppress(httpx.TransportError):
            answer = client.post(f"http://127.0.0.1:{port}/v1/orders", json=order)
            if answer.status_code < 500:
                assert answer.status_code == 201, answer.text
                return answer
    raise AssertionError(f"no answer to {order} in 100 attempts")


def trade_all(pipeline: Pipeline, after: dict[int, Any]) -> list[dict[str, Any]]:
    """Eight clients at once; `after`: what happens before the n-th order of the first."""
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(trade, pipeline, account, 60, after if account == 1 else {}) for account in range(1, 9)]
        return [ack for run in runs for ack in run.result()]


def test_the_whole_path_reconciles(pipeline: Pipeline) -> None:
    acks = trade_all(pipeline, {})
    found = pipeline.reconcile(acks)
    assert found == Reconciliation(480, 0, 0, 0, 0, 0, 0, (), found.fairness)


@pytest.mark.parametrize("victim", ["gateway-0", "settler", "engine"])
def test_nothing_acknowledged_is_lost_when_a_process_is_killed(pipeline: Pipeline, victim: str) -> None:
    start = {
        "gateway-0": lambda: pipeline.start_gateway(0),
        "settler": pipeline.start_settler,
        "engine": pipeline.start_engine,
    }

    def kill() -> None:
        stop(pipeline.processes[victim], signal.SIGKILL)
        start[victim]()

    acks = trade_all(pipeline, {15: kill, 40: kill})
    found = pipeline.reconcile(acks)
    assert (found.acknowledged, found.differences) == (480, ())


def test_on_sigterm_a_gateway_is_not_ready_answers_what_still_comes_and_leaves_with_zero(pipeline: Pipeline) -> None:
    stop(pipeline.processes["gateway-0"])
    pipeline.start_gateway(0, drain_ms=5_000)  # long enough for a busy machine to see it drain
    wait_until(lambda: pipeline.is_ready(0), "the gateway is ready")
    pipeline.processes["gateway-0"].terminate()
    url = f"http://127.0.0.1:{pipeline.gateway_ports[0]}"
    wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 503, "readyz says 503")
    order = {"client_order_id": "late", "symbol": SYMBOLS[0], "side": "buy", "type": "limit", "price_ticks": 1}
    late = httpx.post(f"{url}/v1/orders", json=order | {"quantity_lots": 1}, headers={"x-api-key": pipeline.keys[1]})
    assert late.status_code == 201
    assert pipeline.processes["gateway-0"].wait(30) == 0
    events = [orjson.loads(line)["event"] for line in (pipeline.folder / "gateway-0.log").read_bytes().splitlines()]
    assert events[-3:] == ["stopping", "order", "stopped"]


def test_a_head_without_end_is_refused_and_a_long_body_is_not_taken_for_one(pipeline: Pipeline) -> None:
    address = ("127.0.0.1", pipeline.gateway_ports[0])
    with socket.create_connection(address, 5) as endless:
        endless.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 17_000)
        said = endless.recv(4096)
    assert said.startswith(b"HTTP/1.1 431 ")
    assert b"/problems/head-too-large" in said
    url = f"http://127.0.0.1:{pipeline.gateway_ports[0]}"
    with httpx.Client() as client:
        assert client.get(f"{url}/healthz", headers={"x-long": "a" * 15_000}).status_code == 200
        large = client.post(f"{url}/v1/orders", content=b"a" * 40_000, headers={"content-type": "application/json"})
        assert large.status_code == 413
        assert client.get(f"{url}/healthz").status_code == 200


def test_on_sigterm_the_settler_leaves_with_zero(pipeline: Pipeline) -> None:
    wait_until(lambda: b'"started"' in (pipeline.folder / "settler.log").read_bytes(), "the settler has started")
    pipeline.processes["settler"].terminate()
    assert pipeline.processes["settler"].wait(30) == 0


def test_every_fault_of_the_settings_is_said_and_the_exit_code_is_2() -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "GATEWAY_PORT": "0",
        "GATEWAY_REDIS_URL": "redis://x",
        "GATEWAY_TRACE_RATIO": "2",
    }
    done = subprocess.run(
        [sys.executable, "-m", "target_system.gateway"], env=environment, cwd=ROOT, capture_output=True
    )
    said = done.stderr.decode()
    assert done.returncode == 2
    for name in ("GATEWAY_PORT", "GATEWAY_TRACE_RATIO", "GATEWAY_NAME", "GATEWAY_LEDGER_DSNS", "GATEWAY_SYMBOLS"):
        assert name in said


def test_a_ledger_that_restarts_under_load_loses_nothing(
    redis_url: str, tmp_path: Path, postgres: Postgres, ledger_dsn: str, pipeline: Pipeline
) -> None:
    def restart() -> None:
        postgres.kill()
        postgres.start()

    acks = trade_all(pipeline, {20: restart})
    found = pipeline.reconcile(acks)
    assert (found.acknowledged, found.differences) == (480, ())
    with psycopg.connect(ledger_dsn) as ledger:
        assert ledger.execute("SELECT count(*) FROM commands").fetchone() == (480,)
