"""What engine-replay would print of a PlainBook, so that a reconciliation can be tried without the real engine."""

from __future__ import annotations

from pathlib import Path

import orjson

from target_system.ledger.witnesses import enum_names
from target_system.proto import engine_pb2 as pb
from tests.plain_engine import PlainBook


def write_results(book: PlainBook, file: Path) -> Path:
    file.write_bytes(b"".join(orjson.dumps(result_object(book, result)) + b"\n" for result in book.results))
    return file


def result_object(book: PlainBook, result: pb.Result) -> dict[str, object]:
    name = {
        column: enum_names(column)
        for column in ("kind", "side", "order_type", "time_in_force", "self_trade_prevention", "outcome", "reason")
    }
    command = result.command
    return {
        "sequence": result.sequence, "outcome": name["outcome"][result.outcome],
        "reason": name["reason"][result.reason], "order_id": result.order_id, "filled_lots": result.filled_lots,
        "resting_lots": result.resting_lots, "cancelled_lots": result.cancelled_lots,
        "fills": [
            {
                "trade_id": fill.trade_id, "maker_order_id": fill.maker_order_id, "maker_account": fill.maker_account,
                "price_ticks": fill.price_ticks, "quantity_lots": fill.quantity_lots,
            }
            for fill in result.fills
        ],
        "removals": [
            {"order_id": removal.order_id, "quantity_lots": removal.quantity_lots} for removal in result.removals
        ],
        "command": {
            "kind": name["kind"][command.kind], "account": command.account,
            "client_order_id": command.client_order_id, "symbol": book.symbols[command.symbol],
            "side": name["side"][command.side], "order_type": name["order_type"][command.order_type],
            "time_in_force": name["time_in_force"][command.time_in_force],
            "self_trade_prevention": name["self_trade_prevention"][command.self_trade_prevention],
            "price_ticks": command.price_ticks, "quantity_lots": command.quantity_lots,
            "received_ns": command.received_ns, "has_symbol": command.has_symbol,
        },
    }  # fmt: skip


def write_books(book: PlainBook, file: Path) -> Path:
    sides = enum_names("side")
    orders = [
        {
            "order_id": o.order_id, "account": o.account, "symbol": book.symbols[o.symbol], "side": sides[o.side],
            "price_ticks": o.price_ticks, "quantity_lots": o.quantity_lots,
        }
        for o in book.in_priority()
    ]  # fmt: skip
    file.write_bytes(orjson.dumps({"sequence": len(book.results), "resting_orders": len(orders), "orders": orders}))
    return file
