"""What a sealed run consists of: its files, their columns, and the history of both.

History of the format: 1, the first; 2, spans and log lines of traced orders, and what the generator offered;
3, the interventions of a proof.
"""

from __future__ import annotations

import pyarrow as pa

FORMAT = 3
MANIFEST = "manifest.json"

_TEXT, _INT, _REAL = pa.string(), pa.int64(), pa.float64()


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema(list(columns.items()))


TABLES: dict[str, pa.Schema] = {
    "windows": _schema(
        window=_TEXT, parameters=_TEXT, repetition=_INT, position=_INT, users=_INT, think_time_s=_REAL,
        rate_per_s=_REAL, started_ns=_INT, measured_from_ns=_INT, measured_until_ns=_INT, ended_ns=_INT,
    ),
    "latency": _schema(
        window=_TEXT, interval_start_ns=_INT, endpoint=_TEXT, outcome=_TEXT, measure=_TEXT, count=_INT, histogram=_TEXT,
    ),
    "acks": _schema(
        window=_TEXT, account=_INT, client_order_id=_TEXT, kind=_TEXT, order_id=_INT, sequence=_INT, outcome=_TEXT,
        intended_ns=_INT, sent_ns=_INT, answered_ns=_INT,
    ),
    "series": _schema(
        window=_TEXT, metric=_TEXT, component=_TEXT, instance=_TEXT, labels=_TEXT, t_ns=_INT, value=_REAL,
    ),
    "generator": _schema(
        window=_TEXT, t_ns=_INT, cpu_seconds=_REAL, cpu_quota_cores=_REAL, wake_lag_p99_ns=_INT, in_flight=_INT,
        requests=_INT, offered=_INT, sent=_INT, lag_ns=_INT, schedule_error_p99_ns=_INT,
    ),
    "noise": _schema(
        window=_TEXT, steal_share=_REAL, host_busy_share=_REAL, foreign_share=_REAL, hiccup_p50_ns=_INT,
        hiccup_p99_ns=_INT, hiccup_p99_9_ns=_INT, hiccup_max_ns=_INT, clock_step_max_ns=_INT,
    ),
    "spans": _schema(
        window=_TEXT, trace_id=_TEXT, span_id=_TEXT, parent_id=_TEXT, name=_TEXT, component=_TEXT, instance=_TEXT,
        start_ns=_INT, end_ns=_INT, attributes=_TEXT,
    ),
    "log_lines": _schema(
        window=_TEXT, t_ns=_INT, component=_TEXT, instance=_TEXT, trace_id=_TEXT, line=_TEXT,
    ),
    "interventions": _schema(
        window=_TEXT, round=_INT, lever=_TEXT, component=_TEXT, arm=_TEXT, written=_REAL,
        started_ns=_INT, settled_ns=_INT, ended_ns=_INT,
    ),
}  # fmt: skip
"""Parquet file → its columns."""

DOCUMENTS = ("run.json", "topologies.json", "machine.json", "versions.json", "reconciliation.json", "logs.json")
FILES = frozenset({"campaign.yaml", "events.jsonl", *DOCUMENTS, *(f"{table}.parquet" for table in TABLES)})
"""Every file of a sealed run beside its manifest."""

SINCE = {"spans.parquet": 2, "log_lines.parquet": 2, "interventions.parquet": 3}
"""File → the first format that has it."""


def files_of(version: int) -> frozenset[str]:
    """What a run of that format must hold."""
    return frozenset(name for name in FILES if SINCE.get(name, 1) <= version)
