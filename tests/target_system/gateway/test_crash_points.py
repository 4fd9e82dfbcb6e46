"""A crash point is where decision 1 has it: what is durable after each, and that a repeat gets the one result."""

from __future__ import annotations

import contextlib
import json
import subprocess

import httpx
import psycopg
import pytest
import redis

from deploy.install.engine import engine_dir
from target_system.ledger.projection import WATERMARK
from tests.servers import stop, wait_until
from tests.target_system.gateway.pipeline import SYMBOLS, Pipeline

GATEWAY_POINTS = {
    "validated": (0, 0, 0, None),
    "sent": (1, 0, 0, None),
    "committed": (1, 1, 0, None),
    "projected": (1, 1, 1, None),
    "answered": (1, 1, 1, 201),
}
"""Point → by how many commands journal, ledger and Redis are longer right after it, and what the client was told."""
ENGINE_POINTS = {"matched": 0, "synced": 1, "sent": 1}


@pytest.fixture
def unsettled(pipeline: Pipeline) -> Pipeline:
    """Nobody fills in what a crash left out."""
    stop(pipeline.processes["settler"])
    return pipeline


def durable(pipeline: Pipeline) -> tuple[int, int, int]:
    replay = [engine_dir() / "engine-replay", "--journal", pipeline.folder / "journal"]
    journal = json.loads(subprocess.run(replay, check=True, capture_output=True, text=True).stdout)["commands"]
    with psycopg.connect(pipeline.dsn) as ledger:
        rows = ledger.execute("SELECT count(*) FROM commands").fetchall()[0][0]
    with redis.Redis.from_url(pipeline.redis_url) as client:
        return journal, rows, int(client.get(WATERMARK) or 0)


def place(pipeline: Pipeline, gateway: int, identity: str) -> httpx.Response | None:
    order = {
        "client_order_id": identity, "symbol": SYMBOLS[0], "side": "buy", "type": "limit", "price_ticks": 1,
        "quantity_lots": 1,
    }  # fmt: skip
    with contextlib.suppress(httpx.TransportError):
        url = f"http://127.0.0.1:{pipeline.gateway_ports[gateway]}/v1/orders"
        return httpx.post(url, json=order, headers={"x-api-key": pipeline.keys[1]}, timeout=10)
    return None


def test_each_point_of_the_gateway_leaves_durable_what_the_table_says(
    unsettled: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = unsettled
    for number, (point, (journal, ledger, projected, told)) in enumerate(GATEWAY_POINTS.items(), start=1):
        stop(pipeline.processes["gateway-0"])
        monkeypatch.setenv("GATEWAY_CRASH_AT", f"{point}:1")
        pipeline.start_gateway(0)
        wait_until(lambda: pipeline.is_ready(0), "the armed gateway is ready")
        before = durable(pipeline)
        answer = place(pipeline, 0, point)
        assert pipeline.processes["gateway-0"].wait(10) == -9, point
        expected = (before[0] + journal, before[1] + ledger, before[2] + projected)
        wait_until(lambda e=expected: durable(pipeline) == e, f"{point}: {expected} are durable")
        assert (answer.status_code if answer else None) == told, point
        again = place(pipeline, 1, point)
        assert again is not None
        assert again.json()["sequence"] == number, point


def test_each_point_of_the_engine_leaves_in_the_journal_what_the_table_says(
    unsettled: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = unsettled
    for number, (point, journal) in enumerate(ENGINE_POINTS.items(), start=1):
        stop(pipeline.processes["engine"])
        monkeypatch.setenv("ENGINE_CRASH_AT", f"{point}:1")
        pipeline.start_engine()
        wait_until(lambda: pipeline.is_ready(1), "the gateway has a stream to the armed engine")
        before = durable(pipeline)[0]
        place(pipeline, 1, point)
        assert pipeline.processes["engine"].wait(10) == -9, point
        assert durable(pipeline)[0] == before + journal, point
        monkeypatch.delenv("ENGINE_CRASH_AT")
        pipeline.start_engine()
        wait_until(lambda: pipeline.is_ready(1), "the gateway has a stream to the next engine")
        again = place(pipeline, 1, point)
        assert again is not None
        assert again.json()["sequence"] == number, point
