"""The page of the API is true: each of its examples is run, and every reason is on it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from target_system.gateway.schemas import Reason
from target_system.ledger.keys import create_keys
from tests.target_system.gateway.pipeline import Pipeline

PAGE = (Path(__file__).parents[3] / "docs/reference/api.md").read_text()
EXAMPLES = re.findall(r"^curl (.*)  # (\d+)$", PAGE, re.MULTILINE)


def test_each_example_is_answered_as_the_page_says(pipeline: Pipeline) -> None:
    gateway = f"http://127.0.0.1:{pipeline.gateway_ports[0]}"
    operator = create_keys(pipeline.dsn, (9_000,), is_operator=True)[9_000]
    given = {"client_order_id": "mine", "symbol": "AAPL", "side": "buy", "type": "limit", "price_ticks": 97}
    placed = httpx.post(
        f"{gateway}/v1/orders", json=given | {"quantity_lots": 5}, headers={"x-api-key": pipeline.keys[1]}
    )
    known = {
        "GATEWAY": gateway,
        "KEY": pipeline.keys[1],
        "OPERATOR_KEY": operator,
        "ORDER": str(placed.json()["order_id"]),
    }
    for command, status in EXAMPLES:
        script = f"curl -s -o /dev/null -w '%{{http_code}}' {command}"
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, check=True, env=os.environ | known
        )
        assert (done.stdout, command) == (status, command)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_on_the_page(reason: str) -> None:
    assert f"`{reason}`" in PAGE
