"""From the generator's receipts to what a run records: the acknowledgement ledger, and latencies as HDR histograms.

A latency counts from the *intended* send time: what a request waited because the generator was late belongs to what a
client would have seen. The service time from the actual send is kept beside it. Each histogram covers one second,
counted from the start of the measured part, and a request belongs to the second of its intended send time. Histograms
of the same shape merge exactly, so any longer interval is a sum.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loadgen.histogram import HISTOGRAM_MAX_NS, new_histogram
from loadgen.layout import TABLES
from loadgen.receipts import ROW, Kind, outcome_name
from loadgen.wire import Endpoint, client_order_id
from target_system.orders import cancel_identity

Receipts = npt.NDArray[np.void]

INTERVAL_NS = 1_000_000_000
ENDPOINTS = {Kind.NEW: Endpoint.NEW, Kind.CANCEL: Endpoint.CANCEL, Kind.REPLACE: Endpoint.REPLACE}
MEASURES = {"latency": "intended_ns", "service": "sent_ns"}


def read_receipts(path: Path) -> Receipts:
    """Every whole row of the file; a torn one at its end (the generator was killed) is left out."""
    data = path.read_bytes()
    return np.frombuffer(data[: len(data) // ROW.itemsize * ROW.itemsize], ROW)


def acknowledgements(window: str, prefix: str, receipts: Receipts) -> pa.Table:
    """The rows of `acks.parquet`. A cancel goes by its identity in the ledger, which names the order it cancels."""
    identities = [
        cancel_identity(order_id) if kind == Kind.CANCEL else client_order_id(prefix, user, number)
        for user, number, kind, order_id in receipts[["user", "number", "kind", "order_id"]].tolist()
    ]
    columns = {
        "window": [window] * len(receipts),
        "client_order_id": identities,
        "kind": [Kind(kind).name.lower() for kind in receipts["kind"].tolist()],
        "outcome": [outcome_name(code) for code in receipts["outcome"].tolist()],
        **{name: receipts[name].astype(np.int64) for name in ("account", "order_id", "sequence")},
        **{name: receipts[name] for name in ("intended_ns", "sent_ns", "answered_ns")},
    }
    schema = TABLES["acks"]
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def histograms(window: str, measured_from_ns: int, receipts: Receipts) -> list[dict[str, Any]]:
    """The rows of `latency.parquet`: one a second, endpoint, outcome and measure that has any request."""
    seconds = (receipts["intended_ns"] - measured_from_ns) // INTERVAL_NS
    groups = np.stack([seconds, receipts["kind"].astype(np.int64), receipts["outcome"].astype(np.int64)], axis=1)
    rows: list[dict[str, Any]] = []
    keys, group = np.unique(groups, axis=0, return_inverse=True)
    by_group = np.split(receipts[np.argsort(group, kind="stable")], np.cumsum(np.bincount(group))[:-1])
    for (second, kind, outcome), chosen in zip(keys.tolist(), by_group, strict=len(receipts) > 0):
        for measure, since in MEASURES.items():
            rows.append({
                "window": window, "interval_start_ns": measured_from_ns + second * INTERVAL_NS,
                "endpoint": ENDPOINTS[Kind(kind)].value, "outcome": outcome_name(outcome), "measure": measure,
                "count": len(chosen), "histogram": _encoded(chosen["answered_ns"] - chosen[since]),
            })  # fmt: skip
    return rows


def ages(
    window: str, measured_from_ns: int, endpoint: Endpoint, known_ns: npt.NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Rows of `latency.parquet`, one a second: how old trades were when a client knew of them.

    `known_ns`: rows of (when it knew, the trade's age then).
    """
    seconds = (known_ns[:, 0] - measured_from_ns) // INTERVAL_NS
    rows = []
    for second in np.unique(seconds).tolist():
        chosen = known_ns[seconds == second, 1]
        rows.append({
            "window": window, "interval_start_ns": measured_from_ns + second * INTERVAL_NS, "endpoint": endpoint.value,
            "outcome": "ok", "measure": "age", "count": len(chosen), "histogram": _encoded(np.maximum(chosen, 0)),
        })  # fmt: skip
    return rows


def _encoded(durations_ns: npt.NDArray[np.int64]) -> str:
    histogram = new_histogram()
    for duration_ns in np.minimum(durations_ns, HISTOGRAM_MAX_NS).tolist():
        histogram.record_value(duration_ns)
    encoded: bytes = histogram.encode()
    return encoded.decode()
