"""The three independent witnesses of a reconciliation, brought into tables of one duckdb connection.

`acks` is what clients were told; `ledger_commands` and `ledger_trades` are Postgres, all shards together;
`replayed_commands` and `replayed_trades` come from engine-replay, a program that shares only the matching with the live
engine. Positions of Redis are in `redis_positions`; resting orders of the live and of the replayed books in
`live_orders` and `replayed_orders`, numbered in priority order.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import duckdb
import grpc
import psycopg
import pyarrow as pa
import redis

from target_system.ledger.projection import positions_from
from target_system.ledger.rows import COMMAND_COLUMNS, TRADE_COLUMNS
from target_system.proto import engine_pb2 as pb
from target_system.proto.engine_pb2_grpc import EngineStub

TEXT_COLUMNS = frozenset(("client_order_id", "symbol", "removals"))
ENUMS = {
    "kind": pb.Kind, "side": pb.Side, "order_type": pb.OrderType, "time_in_force": pb.TimeInForce,
    "self_trade_prevention": pb.SelfTradePrevention,
    "outcome": pb.Outcome, "reason": pb.Reason,
}  # fmt: skip
"""The ledger keeps their numbers; the replay prints their names."""

REPLAYED = """{
    sequence: 'BIGINT', outcome: 'VARCHAR', reason: 'VARCHAR', order_id: 'BIGINT', filled_lots: 'BIGINT',
    resting_lots: 'BIGINT', cancelled_lots: 'BIGINT',
    fills: 'STRUCT(trade_id BIGINT, maker_order_id BIGINT, maker_account BIGINT, price_ticks BIGINT,
                   quantity_lots BIGINT)[]',
    removals: 'STRUCT(order_id BIGINT, quantity_lots BIGINT)[]',
    command: 'STRUCT(kind VARCHAR, account BIGINT, client_order_id VARCHAR, symbol VARCHAR, side VARCHAR,
                     order_type VARCHAR, time_in_force VARCHAR, self_trade_prevention VARCHAR, price_ticks BIGINT,
                     quantity_lots BIGINT, received_ns BIGINT, has_symbol BOOLEAN)'
}"""


COPIED = {
    "removals": """(
        SELECT '{' || string_agg('"' || key || '":' || value, ',' ORDER BY key::bigint) || '}'
        FROM jsonb_each_text(removals))"""
}
"""Columns that leave Postgres in another form than its own: jsonb has an order of keys and spaces of its own choice."""


def enum_names(column: str) -> dict[int, str]:
    """Number → name as engine-replay prints it."""
    plain = {"reason_none": "none"}
    names = {number: name.lower() for name, number in ENUMS[column].items()}
    return {n: "unspecified" if name.endswith("_unspecified") else plain.get(name, name) for n, name in names.items()}


def load_acks(db: duckdb.DuckDBPyConnection, acks: pa.Table) -> None:
    """Columns account, client_order_id, kind (new, cancel), order_id, sequence, is_acknowledged, is_in_doubt."""
    db.register("given_acks", acks)
    db.execute("""
        CREATE TABLE acks AS SELECT account::BIGINT AS account, order_id::BIGINT AS order_id,
            sequence::BIGINT AS sequence, is_acknowledged, is_in_doubt, kind,
            CASE kind WHEN 'cancel' THEN '~c' || order_id ELSE client_order_id END AS client_order_id
        FROM given_acks
    """)


def load_ledger(db: duckdb.DuckDBPyConnection, dsns: Sequence[str]) -> None:
    """All shards; each row says in which one it was found."""
    tables = {"commands": COMMAND_COLUMNS, "trades": ("sequence", *TRADE_COLUMNS)}
    with tempfile.TemporaryDirectory(prefix="reconcile-") as folder:
        for table, columns in tables.items():
            types = ", ".join(f"'{c}': '{'VARCHAR' if c in TEXT_COLUMNS else 'BIGINT'}'" for c in columns)
            parts = []
            for shard, dsn in enumerate(dsns, start=1):
                file = Path(folder) / f"{table}-{shard}.csv"
                copy_out(dsn, f"SELECT {', '.join(COPIED.get(c, c) for c in columns)} FROM {table}", file)
                parts.append(
                    f"SELECT {shard} AS shard, * FROM read_csv('{file}', columns = {{{types}}}, auto_detect = false, "
                    "header = false, delim = ',', quote = '\"', escape = '\"')"
                )
            db.execute(f"CREATE TABLE ledger_{table} AS " + " UNION ALL ".join(parts))
    for column in ENUMS:
        names = enum_names(column)
        cases = " ".join(f"WHEN {number} THEN '{name}'" for number, name in names.items())
        db.execute(f"ALTER TABLE ledger_commands ALTER {column} TYPE VARCHAR USING CASE {column} {cases} END")


def copy_out(dsn: str, query: str, file: Path) -> None:
    command = f"COPY ({query}) TO STDOUT (FORMAT csv)"
    with psycopg.connect(dsn) as ledger, ledger.cursor().copy(command) as copy, file.open("wb") as out:
        for block in copy:
            out.write(block)


def load_replay(db: duckdb.DuckDBPyConnection, results: Path, books: Path) -> None:
    """What engine-replay printed: results as JSON lines, books as one JSON object."""
    db.execute(f"""
        CREATE TABLE replayed AS
        SELECT * FROM read_json('{results}', format = 'newline_delimited', columns = {REPLAYED})
    """)
    names_symbol = "command.kind IN ('new', 'replace', 'halt', 'resume') OR command.has_symbol"
    db.execute(f"""
        CREATE TABLE replayed_commands AS
        SELECT sequence, order_id, filled_lots, resting_lots, cancelled_lots, outcome, reason, command.price_ticks,
            command.quantity_lots, command.received_ns, command.account, command.kind, command.side,
            command.order_type, command.time_in_force, command.self_trade_prevention, command.client_order_id,
            CASE WHEN {names_symbol} THEN command.symbol END AS symbol,
            CASE WHEN len(removals) > 0 THEN '{{' || array_to_string(list_transform(
                list_sort(removals), lambda r: '"' || r.order_id || '":' || r.quantity_lots), ',') || '}}' END
                AS removals
        FROM replayed
    """)
    db.execute("""
        CREATE TABLE replayed_trades AS
        SELECT sequence, fill.trade_id, order_id AS taker_order_id, fill.maker_order_id, fill.price_ticks,
            fill.quantity_lots, command.account AS taker_account, fill.maker_account,
            CASE command.side WHEN 'buy' THEN 1 WHEN 'sell' THEN 2 ELSE 0 END AS taker_side, command.symbol AS symbol
        FROM (SELECT *, unnest(fills) AS fill FROM replayed)
    """)
    db.execute(f"""
        CREATE TABLE replayed_orders AS
        SELECT position, o.* FROM (
            SELECT generate_subscripts(orders, 1) AS position, unnest(orders) AS o
            FROM read_json('{books}', maximum_object_size = 1073741824, columns = {{
                orders: 'STRUCT(order_id BIGINT, account BIGINT, symbol VARCHAR, side VARCHAR, price_ticks BIGINT,
                                quantity_lots BIGINT)[]'
            }})
        )
    """)


def load_positions(db: duckdb.DuckDBPyConnection, client: redis.Redis) -> None:
    keys = sorted(client.scan_iter(match="position:*", count=1000))
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.hgetall(key)
        held = [
            (int(key.split(b":")[1]), p.symbol, p.lots, p.cash)
            for key, fields in zip(keys, pipe.execute(), strict=True)
            for p in positions_from(fields)
        ]
    columns = zip(*held, strict=True) if held else ((), (), (), ())
    kinds = (("account", pa.int64()), ("symbol", pa.string()), ("lots", pa.int64()), ("cash", pa.int64()))
    table = pa.table({name: pa.array(column, kind) for (name, kind), column in zip(kinds, columns, strict=True)})
    db.register("given_positions", table)
    db.execute("CREATE TABLE redis_positions AS SELECT * FROM given_positions")


def load_live_books(db: duckdb.DuckDBPyConnection, engine_target: str, deadline_s: float) -> None:
    names = enum_names("side")
    with grpc.insecure_channel(engine_target) as channel:
        stub = EngineStub(channel)
        symbols = stub.Status(pb.StatusRequest(), timeout=deadline_s).symbols
        parts = stub.Dump(pb.DumpRequest(), timeout=deadline_s)
        rows = [
            (n, o.order_id, o.account, symbols[o.symbol], names[o.side], o.price_ticks, o.quantity_lots)
            for n, o in enumerate(chain.from_iterable(part.orders for part in parts), start=1)
        ]
    columns = zip(*rows, strict=True) if rows else ((),) * 7
    kinds = (
        ("position", pa.int64()), ("order_id", pa.int64()), ("account", pa.int64()), ("symbol", pa.string()),
        ("side", pa.string()), ("price_ticks", pa.int64()), ("quantity_lots", pa.int64()),
    )  # fmt: skip
    table = pa.table({name: pa.array(column, kind) for (name, kind), column in zip(kinds, columns, strict=True)})
    db.register("given_orders", table)
    db.execute("CREATE TABLE live_orders AS SELECT * FROM given_orders")
