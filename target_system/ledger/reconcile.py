"""Whether every promise was kept: clients' acknowledgements, the ledger and the replayed journal must agree.

Called after a window of load, when nothing is sent any more: `wait_until_settled`, then engine-replay on the journal,
then `reconcile`. Everything heavy happens inside duckdb.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import grpc
import psycopg
import pyarrow as pa
import redis
from redis.exceptions import RedisError

from target_system.ledger import witnesses
from target_system.ledger.checks import Difference, Kind, checks, contradictions
from target_system.ledger.fairness import Fairness, fairness
from target_system.ledger.projection import WATERMARK
from target_system.proto import engine_pb2 as pb
from target_system.proto.engine_pb2_grpc import EngineStub

LISTED_MAX = 100
CALL_DEADLINE_S = 10.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the live witnesses are."""

    ledger_dsns: tuple[str, ...]
    redis_url: str
    redis_password: str | None
    engine_target: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Counts of commands; `differences` lists at most the first hundred of each check."""

    acknowledged: int
    lost: int
    duplicated: int
    holes: int
    mismatched: int
    in_doubt: int
    """Requests without a clear answer whose fate is still open."""
    resolved: int
    """... whose fate the ledger told: it has them, or it is complete without them."""
    differences: tuple[Difference, ...]
    fairness: Fairness

    @property
    def agrees(self) -> bool:
        return not self.differences


def wait_until_settled(stores: Stores, deadline_s: float) -> str | None:
    """Wait until ledger and Redis have what the engine has synced. Says what is still open at the deadline, or None."""
    until = time.monotonic() + deadline_s
    with grpc.insecure_channel(stores.engine_target) as channel:
        stub = EngineStub(channel)
        while (open_still := _unsettled(stores, stub)) is not None and time.monotonic() < until:
            time.sleep(POLL_S)
    return open_still


def _unsettled(stores: Stores, stub: EngineStub) -> str | None:
    try:
        status = stub.Status(pb.StatusRequest(), timeout=CALL_DEADLINE_S)
        if status.replaying or status.synced_sequence != status.last_sequence:
            return f"the engine has synced {status.synced_sequence} of {status.last_sequence} commands"
        recorded = 0
        for dsn in stores.ledger_dsns:
            with psycopg.connect(dsn, connect_timeout=2) as connection:
                recorded += connection.execute("SELECT count(*) FROM commands").fetchall()[0][0]
        if recorded != status.synced_sequence:
            return f"the ledger has {recorded} of {status.synced_sequence} commands"
        with _redis(stores) as client:
            applied = int(client.get(WATERMARK) or 0)
        if applied != status.synced_sequence:
            return f"Redis has applied {applied} of {status.synced_sequence} commands"
    except (grpc.RpcError, psycopg.OperationalError, RedisError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _redis(stores: Stores) -> redis.Redis:
    return redis.Redis.from_url(stores.redis_url, password=stores.redis_password, socket_timeout=CALL_DEADLINE_S)


def reconcile(
    acks: pa.Table, stores: Stores, replayed_results: Path, replayed_books: Path, settle_deadline_s: float = 10.0
) -> Reconciliation:
    """Compare all witnesses. `acks` has the columns that `witnesses.load_acks` names."""
    unsettled = wait_until_settled(stores, settle_deadline_s)
    with duckdb.connect() as db:
        witnesses.load_acks(db, acks)
        witnesses.load_ledger(db, stores.ledger_dsns)
        witnesses.load_replay(db, replayed_results, replayed_books)
        with _redis(stores) as client:
            witnesses.load_positions(db, client)
        witnesses.load_live_books(db, stores.engine_target, CALL_DEADLINE_S)
        return judge(db, unsettled)


def judge(db: duckdb.DuckDBPyConnection, unsettled: str | None) -> Reconciliation:
    """Run every check over the loaded witnesses."""
    counts = dict.fromkeys(Kind, 0)
    differences = []
    for check in checks():
        count, listed = contradictions(db, check, LISTED_MAX)
        counts[check.kind] += count
        differences += listed
    acknowledged, doubtful, found = db.execute("""
        SELECT count(*) FILTER (is_acknowledged), count(*) FILTER (is_in_doubt),
            count(*) FILTER (is_in_doubt AND EXISTS (
                FROM ledger_commands l WHERE l.account = acks.account AND l.client_order_id = acks.client_order_id
            ))
        FROM acks
    """).fetchall()[0]
    still_open = doubtful - found if unsettled else 0
    if unsettled:
        differences.append(Difference(Kind.IN_DOUBT, "ledger", f"not settled: {unsettled}"))
    return Reconciliation(
        acknowledged=acknowledged, lost=counts[Kind.LOST], duplicated=counts[Kind.DUPLICATED],
        holes=counts[Kind.HOLE], mismatched=counts[Kind.MISMATCHED], in_doubt=still_open,
        resolved=doubtful - still_open, differences=tuple(differences), fairness=fairness(db),
    )  # fmt: skip
