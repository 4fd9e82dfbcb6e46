"""The traced orders of a window: spans as the collector keeps them, the client's own beside them, and their log lines.

The gateway knows an order from its request's head to its answer. What lies around that, from the moment the client
meant to send, is in the generator's acknowledgements; both name the order, so the client's span is made here and costs
the generator nothing while it measures. HAProxy's are made of its log lines about traced orders. Wall clock
nanoseconds throughout.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa

QUERY_DEADLINE_S = 30.0
EXPORTED_AFTER_S = 1.5
"""A gateway sends its spans every 0.5 s, the collector passes them on as often, and its log reader looks as often."""
LINES_MAX = 5_000
"""Of one answer of Loki; its own limit."""
SLICE_NS = 5_000_000_000
ROOT = "order"
CLIENT, LATE = "client", "client.late"
FORWARDED, FRONT, FRONT_QUEUED = "forwarded", "haproxy", "haproxy.queued"


class SpanFile:
    """The collector's file, read on from where the last window ended."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, path.stat().st_size if path.exists() else 0

    def rows(self, window: str, from_ns: int, until_ns: int) -> list[dict[str, Any]]:
        """Spans that began in this time, once those that ended before `until_ns` can be there."""
        time.sleep(max(until_ns / 1e9 + EXPORTED_AFTER_S - time.time(), 0))
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole, end, _ = file.read().rpartition(b"\n")  # the last line may be half written
        self._offset += len(whole) + len(end)
        rows = (row for line in whole.splitlines() for row in _rows(window, json.loads(line)))
        return [row for row in rows if from_ns <= row["start_ns"] < until_ns]


def _rows(window: str, exported: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """OTLP JSON as the file exporter writes it, one request a line."""
    for of_process in exported.get("resourceSpans", []):
        about = _attributes(of_process.get("resource", {}).get("attributes", []))
        for scope in of_process.get("scopeSpans", []):
            for span in scope.get("spans", []):
                yield {
                    "window": window, "trace_id": span["traceId"], "span_id": span["spanId"],
                    "parent_id": span.get("parentSpanId", ""), "name": span["name"],
                    "component": about.get("service.name", ""), "instance": about.get("service.instance.id", ""),
                    "start_ns": int(span["startTimeUnixNano"]), "end_ns": int(span["endTimeUnixNano"]),
                    "attributes": json.dumps(_attributes(span.get("attributes", []))),
                }  # fmt: skip


def _attributes(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Integers come as text in OTLP JSON."""
    values: dict[str, Any] = {}
    for attribute in found:
        ((kind, value),) = attribute["value"].items()
        values[attribute["key"]] = int(value) if kind == "intValue" else value
    return values


def with_clients(spans: list[dict[str, Any]], acks: pa.Table) -> list[dict[str, Any]]:
    """The spans, and for each order that the generator acknowledged its client's, which becomes the root."""
    told = {
        (row["account"], row["client_order_id"]) if row["kind"] == "new" else (row["account"], row["order_id"]): row
        for row in acks.to_pylist()
    }
    found = []
    for span in spans:
        ack = told.get(_identity(span)) if span["name"] == ROOT and not span["parent_id"] else None
        if ack is None:
            found.append(span)
            continue
        client = _around(span, CLIENT, "generator", ack["intended_ns"], ack["answered_ns"], "")
        late = _around(span, LATE, "generator", ack["intended_ns"], ack["sent_ns"], client["span_id"])
        found += [client, late, {**span, "parent_id": client["span_id"]}]
    return found


def _identity(span: dict[str, Any]) -> tuple[int, str | int]:
    """As `acks` names the order: a new one by the client's id, a cancel by the order meant."""
    attributes = json.loads(span["attributes"])
    is_new = str(attributes.get("endpoint", "")).startswith("POST")
    return attributes.get("account", 0), attributes.get("client_order_id" if is_new else "order_id", "")


def with_front(spans: list[dict[str, Any]], lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The spans, and HAProxy's between the client's and the gateway's, with the wait for a place at a gateway."""
    told = (json.loads(line["line"]) for line in lines if line["component"] == FRONT)
    forwarded = {line["span_id"]: line for line in told if line["event"] == FORWARDED}
    found = []
    for span in spans:
        line = forwarded.get(span["span_id"])
        if line is None:
            found.append(span)
            continue
        came_ns = line["came_us"] * 1_000
        front = _around(span, FRONT, FRONT, came_ns, line["ts"], span["parent_id"])
        found += [front, {**span, "parent_id": front["span_id"]}]
        if line["queued_ms"] > 0:
            taken_ns = came_ns + line["queued_ms"] * 1_000_000
            found.append(_around(span, FRONT_QUEUED, FRONT, came_ns, taken_ns, front["span_id"]))
    return found


def _around(
    order: dict[str, Any], name: str, component: str, start_ns: int, end_ns: int, parent_id: str
) -> dict[str, Any]:
    span_id = blake2b(f"{order['span_id']}/{name}".encode(), digest_size=8).hexdigest()
    return {
        **order, "span_id": span_id, "parent_id": parent_id, "name": name, "component": component,
        "instance": component, "start_ns": start_ns, "end_ns": end_ns, "attributes": "{}",
    }  # fmt: skip


def log_lines(loki: str, window: str, trace_ids: Iterable[str], from_ns: int, until_ns: int) -> list[dict[str, Any]]:
    """The lines that name one of these traces, as Loki (its base URL) gives them. Raises httpx.HTTPError."""
    wanted = set(trace_ids)
    found = []
    with httpx.Client(base_url=loki, timeout=QUERY_DEADLINE_S, trust_env=False) as client:
        for start_ns in range(from_ns, until_ns, SLICE_NS) if wanted else ():
            for labels, t_ns, line in _traced(client, start_ns, min(start_ns + SLICE_NS, until_ns)):
                if labels.get("trace_id") in wanted:
                    found.append({
                        "window": window, "t_ns": t_ns, "component": labels.get("service_name", ""),
                        "instance": labels.get("service_instance_id", ""), "trace_id": labels["trace_id"],
                        "line": line,
                    })  # fmt: skip
    return found


def _traced(client: httpx.Client, start_ns: int, end_ns: int) -> Iterator[tuple[dict[str, str], int, str]]:
    query = {
        "query": '{service_name=~".+"} | trace_id != ""', "start": str(start_ns), "end": str(end_ns),
        "limit": str(LINES_MAX), "direction": "forward",
    }  # fmt: skip
    answer = client.get("/loki/api/v1/query_range", params=query).raise_for_status().json()
    for stream in answer["data"]["result"]:
        for t_ns, line in stream["values"]:
            yield stream["stream"], int(t_ns), line
