"""Spans of a window: read from the collector's file, joined with what the client saw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from loadgen.layout import TABLES
from loadgen.spans import SpanFile, with_clients, with_front


def exported(name: str, start_ns: int, **attributes: Any) -> str:
    """As the collector's file exporter writes one span."""
    found = [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in attributes.items()
    ]
    span = {
        "traceId": "a" * 32, "spanId": f"{start_ns:016x}", "parentSpanId": "", "name": name,
        "startTimeUnixNano": str(start_ns), "endTimeUnixNano": str(start_ns + 10), "attributes": found,
    }  # fmt: skip
    about = {"attributes": [{"key": "service.name", "value": {"stringValue": "gateway"}}]}
    return json.dumps({"resourceSpans": [{"resource": about, "scopeSpans": [{"spans": [span]}]}]}) + "\n"


def acks(**changes: Any) -> pa.Table:
    row = {
        "window": "base/1", "account": 1, "client_order_id": "c-1", "kind": "new", "order_id": 7, "sequence": 7,
        "outcome": "ok", "intended_ns": 50, "sent_ns": 60, "answered_ns": 150,
    }  # fmt: skip
    return pa.Table.from_pylist([row | changes], schema=TABLES["acks"])


def order(tmp_path: Path, **attributes: Any) -> list[dict[str, Any]]:
    file = SpanFile(tmp_path / "spans.jsonl")
    (tmp_path / "spans.jsonl").write_text(exported("order", 100, account=1, **attributes))
    return file.rows("base/1", 0, 200)


def test_the_spans_of_each_window_are_read_once_and_a_half_written_line_waits(tmp_path: Path) -> None:
    file, path = SpanFile(tmp_path / "spans.jsonl"), tmp_path / "spans.jsonl"
    last = exported("order", 300)
    path.write_text(exported("order", 100) + exported("validate", 250) + last[:40])
    assert [span["start_ns"] for span in file.rows("base/1", 0, 200)] == [100]
    with path.open("a") as rest:
        rest.write(last[40:])
    assert [span["start_ns"] for span in file.rows("base/2", 200, 400)] == [300]


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"endpoint": "POST /v1/orders", "client_order_id": "c-1", "order_id": 9}, "new"),
        ({"endpoint": "DELETE /v1/orders/{id}", "order_id": 7}, "cancel"),
    ],
)
def test_an_order_hangs_under_its_client_from_the_intended_send_time(
    tmp_path: Path, attributes: dict[str, Any], kind: str
) -> None:
    client, late, whole = with_clients(order(tmp_path, **attributes), acks(kind=kind))
    assert (client["name"], client["start_ns"], client["end_ns"], client["parent_id"]) == ("client", 50, 150, "")
    assert (late["name"], late["start_ns"], late["end_ns"], late["parent_id"]) == (
        "client.late",
        50,
        60,
        client["span_id"],
    )
    assert whole["parent_id"] == client["span_id"]


def test_an_order_of_somebody_else_keeps_its_own_root(tmp_path: Path) -> None:
    spans = order(tmp_path, endpoint="POST /v1/orders", client_order_id="another")
    assert with_clients(spans, acks()) == spans


def test_haproxy_stands_between_the_client_and_the_gateway(tmp_path: Path) -> None:
    spans = with_clients(order(tmp_path, endpoint="POST /v1/orders", client_order_id="c-1"), acks())
    client, _, whole = spans
    said = {
        "ts": 2_130_000, "event": "forwarded", "span_id": whole["span_id"], "came_us": 70, "queued_ms": 1,
    }  # fmt: skip
    lines = [
        {"component": "haproxy", "line": json.dumps(said)},
        {"component": "gateway", "line": "{}"},
    ]
    _, _, front, below, queued = with_front(spans, lines)
    assert (front["name"], front["parent_id"], front["start_ns"], front["end_ns"]) == (
        "haproxy", client["span_id"], 70_000, 2_130_000,
    )  # fmt: skip
    assert below == {**whole, "parent_id": front["span_id"]}
    assert (queued["name"], queued["parent_id"]) == ("haproxy.queued", front["span_id"])
    assert (queued["start_ns"], queued["end_ns"]) == (70_000, 1_070_000)
    assert with_front(spans, []) == spans
