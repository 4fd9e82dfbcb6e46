"""What a client is told of a command: from the engine's result, or from why there is none, to a Reply. Pure."""

from __future__ import annotations

import orjson

from target_system.gateway import replies
from target_system.gateway.order_path import Answer, NoAnswer
from target_system.gateway.replies import Reply
from target_system.proto import engine_pb2 as pb

OUTCOMES = {number: name.lower() for name, number in pb.Outcome.items()}
REASONS = {number: name.lower() for name, number in pb.Reason.items()}
OF_AN_ORDER = frozenset((pb.NEW, pb.CANCEL, pb.REPLACE))
TRADING = frozenset((pb.NEW, pb.REPLACE))
REMOVING = frozenset((pb.MASS_CANCEL, pb.KILL))


def reply_to(answer: Answer | NoAnswer, command: pb.Command, status: int) -> Reply:
    if isinstance(answer, NoAnswer):
        return reply_without_result(answer)
    result = answer.result
    document: dict[str, object] = {"sequence": result.sequence, "outcome": OUTCOMES[result.outcome]}
    if command.kind in OF_AN_ORDER:
        document["order_id"] = result.order_id
    if not command.client_order_id.startswith("~"):
        document["client_order_id"] = command.client_order_id
    if result.reason:
        document["reason"] = REASONS[result.reason]
    logged = dict(document)
    headers = (replies.REPLAYED,) if answer.is_repeat else ()
    if result.outcome == pb.REJECTED:
        status = 404 if result.reason == pb.NO_SUCH_ORDER else 422
        return replies.problem(
            status, "rejected", "The book refused it", f"reason: {document['reason']}", told="rejected",
            headers=headers, logged=logged, **document,
        )  # fmt: skip
    document |= quantities(command, result)
    told = "repeated" if answer.is_repeat else "ok"
    return Reply(status, orjson.dumps(document), told, (replies.JSON, *headers), logged)


def quantities(command: pb.Command, result: pb.Result) -> dict[str, object]:
    """What was filled, rests, was cancelled and removed, as far as the kind of command can do so."""
    found: dict[str, object] = {}
    if command.kind in OF_AN_ORDER:
        found["filled_lots"] = result.filled_lots
        found["remaining_lots"] = result.resting_lots
    if command.kind in OF_AN_ORDER or command.kind in REMOVING:
        found["cancelled_lots"] = result.cancelled_lots
    if command.kind in TRADING:
        if result.resting_lots and result.resting_price_ticks != command.price_ticks:
            found["resting_price_ticks"] = result.resting_price_ticks
        found["fills"] = [
            {
                "trade_id": f.trade_id,
                "maker_order_id": f.maker_order_id,
                "price_ticks": f.price_ticks,
                "quantity_lots": f.quantity_lots,
            }
            for f in result.fills
        ]
    if result.removals or command.kind in REMOVING:
        found["removed"] = [{"order_id": r.order_id, "quantity_lots": r.quantity_lots} for r in result.removals]
    return found


def reply_without_result(why: NoAnswer) -> Reply:
    if why is NoAnswer.NOT_SEQUENCED:
        return replies.unavailable("not-sequenced", why.value)
    if why is NoAnswer.ANOTHER_COMMAND:
        return replies.problem(
            409, "client-order-id-used", "Another order has this client order id",
            "it was given before with other terms; choose a new client order id", told="conflict",
        )  # fmt: skip
    return replies.outcome_unknown(why.value)
