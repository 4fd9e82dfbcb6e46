"""Were all promises of a window kept? Brings the third witness, a replay of the journal, to the ledger's judge."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pyarrow as pa
import redis

from deploy.cluster import Cluster
from loadgen.receipts import in_doubt
from target_system.history import reconcile as history
from target_system.ledger.reconcile import Reconciliation, Stores, reconcile, wait_until_settled

SETTLE_DEADLINE_S = 15.0
REPLAY_DEADLINE_S = 300.0
TOTALS = ("acknowledged", "lost", "duplicated", "holes", "mismatched", "in_doubt", "resolved")


class ReplayError(Exception):
    """The journal could not be replayed, or gives other results than it holds; the text says what the program said."""


def reconcile_window(cluster: Cluster, acks: pa.Table, scratch: Path) -> dict[str, Any]:
    """Totals of the window and every difference, as plain data. Waits until what is under way has settled."""
    stores = stores_of(cluster)
    results, books = scratch / "replayed.jsonl", scratch / "books.json"
    try:
        wait_until_settled(stores, SETTLE_DEADLINE_S)
        replay(cluster.engine.with_name("engine-replay"), cluster.journal, results, books)
        found = as_document(reconcile(witness(acks), stores, results, books, SETTLE_DEADLINE_S))
        if cluster.topology.history.replicas:
            found["differences"] += history.differences(stores.ledger_dsns, SETTLE_DEADLINE_S)
        return found
    except (ReplayError, grpc.RpcError, psycopg.Error, redis.RedisError) as error:
        return unreconciled(acks, error)


def unreconciled(acks: pa.Table, error: Exception) -> dict[str, Any]:
    """What is known where a witness is silent, as when a part was given up: every promise is in doubt."""
    promised = acks["outcome"].to_pylist().count("ok")
    known = dict.fromkeys(TOTALS, 0) | {"acknowledged": promised, "in_doubt": max(promised, 1)}
    return {**known, "differences": [f"not reconciled: {type(error).__name__}: {error}"]}


def stores_of(cluster: Cluster) -> Stores:
    secrets = cluster.secrets
    return Stores(
        ledger_dsns=secrets.ledger_dsns,
        redis_url=secrets.redis_url,
        redis_password=secrets.redis_password_file.read_text().strip(),
        engine_target=cluster.address("engine"),
    )


def replay(program: Path, journal: Path, results: Path, books: Path) -> None:
    """Raises ReplayError. Read-only, beside the running engine."""
    if not program.exists():
        raise ReplayError(f"{program} is missing; make setup")
    command = [str(program), "--journal", str(journal)]
    command += ["--results", str(results), "--books", str(books)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=REPLAY_DEADLINE_S)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise ReplayError(f"engine-replay of {journal} ended with code {done.returncode}: {said}")


def witness(acks: pa.Table) -> pa.Table:
    """The acknowledgement ledger as the judge wants it: what was promised, and what is in doubt."""
    outcomes = acks["outcome"].to_pylist()
    columns = acks.select(["account", "client_order_id", "kind", "order_id", "sequence"])
    return columns.append_column("is_acknowledged", pa.array([outcome == "ok" for outcome in outcomes])).append_column(
        "is_in_doubt", pa.array([in_doubt(outcome) for outcome in outcomes])
    )


def as_document(found: Reconciliation) -> dict[str, Any]:
    document = asdict(found)
    document["differences"] = [f"{d.kind.value}: {d.where}: {d.what}" for d in found.differences]
    return document


def total(windows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`reconciliation.json`: the sums, and the windows they are of."""
    return {**{name: sum(w[name] for w in windows.values()) for name in TOTALS}, "windows": dict(windows)}
