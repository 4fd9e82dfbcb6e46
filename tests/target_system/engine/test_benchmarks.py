"""The engine's benchmarks at a tiny size: what they compute is right, whatever the time it takes."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

RECORDS_SHA256 = "c218488cda5ef505b8a60beef327c038f3a80f588d78d80c7dce5c0034a45c03"
TRADE_HASH = "29303e0faa04e8f8"
EVENTS = "1000"


def run(binary: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run([str(binary), *arguments], check=True, capture_output=True, text=True, timeout=100)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_the_flow_is_the_reference_flow_to_the_bit(binaries: Path, tmp_path: Path) -> None:
    records = tmp_path / "records"
    subprocess.run([str(binaries / "engine-bench"), "--events", EVENTS, "--records", str(records)], check=True)
    assert hashlib.sha256(records.read_bytes()).hexdigest() == RECORDS_SHA256


@pytest.mark.parametrize("index", ["dense", "hash"])
def test_the_measured_engine_makes_the_reference_trades_and_so_does_the_naive_one(binaries: Path, index: str) -> None:
    figures = run(binaries / "engine-bench", "--events", EVENTS, "--repetitions", "1", "--id-index", index)
    assert (figures["trade_hash"], figures["agrees_with_naive"]) == (TRADE_HASH, True)
    assert (figures["n"], figures["id_index"]) == (int(EVENTS), index)


def test_a_stream_of_many_messages_is_matched_in_the_order_in_which_it_was_sent(binaries: Path, tmp_path: Path) -> None:
    size = ["--orders", "50000", "--unary", "100", "--per-message", "16", "--repetitions", "1"]
    assert run(binaries / "engine-grpc-bench", *size, "--directory", str(tmp_path))["agrees_with_replay"] is True
