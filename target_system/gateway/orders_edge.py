"""POST and DELETE of orders, from headers and body to a Reply. The two hot endpoints; the rest is in `app`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from opentelemetry.trace import Span

from target_system.gateway import replies
from target_system.gateway.order_path import Answer, NoAnswer, OrderPath, Stamps
from target_system.gateway.replies import Fault, Header, Reply
from target_system.gateway.validation import Malformed, Tradable, parse_order
from target_system.ledger.access import Access, key_in
from target_system.ledger.connections import LedgerAway
from target_system.proto import engine_pb2 as pb
from target_system.risk.limits import Limits, breaches
from target_system.telemetry import Telemetry, log_fields
from target_system.tracing import OrderTracer, Stage, trace_parent_of

PLACE = "POST /v1/orders"
CANCEL = "DELETE /v1/orders/{id}"

TRACED = ("endpoint", "account", "client_order_id", "order_id", "sequence", "outcome", "reason")
"""Attributes of an order's span: by them it is found, and joined with what the client saw."""

OUTCOMES = {number: name.lower() for name, number in pb.Outcome.items()}
REASONS = {number: name.lower() for name, number in pb.Reason.items()}


@dataclass(slots=True)
class Work:
    """How much the process has taken on. One that is stopping takes what still comes, until the load balancer has seen
    that it is not ready."""

    in_flight_max: int
    in_flight: int = 0
    is_stopping: bool = False

    def refusal(self) -> Reply | None:
        if self.in_flight >= self.in_flight_max:
            return replies.unavailable(
                "overloaded", f"{self.in_flight} orders are in flight, the most this gateway takes"
            )
        return None


class OrdersEdge:
    def __init__(
        self, access: Access, path: OrderPath, tradable: Tradable, limits: Limits, work: Work, telemetry: Telemetry,
        tracer: OrderTracer,
    ) -> None:  # fmt: skip
        self._access, self._path, self._tradable, self._limits = access, path, tradable, limits
        self._work, self._telemetry, self._tracer = work, telemetry, tracer
        get = telemetry.metrics.get
        self._ledger_wait = get("gateway_ledger_wait_seconds").observe
        self._stages = {s: get("gateway_stage_seconds", s).observe for s in ("validate", "engine", "ledger", "publish")}

    async def place(self, headers: list[Header], body: bytes, began: int) -> Reply:
        async def work(account: int, stamps: Stamps, trace: bytes) -> Reply:
            order = parse_order(body, account, self._tradable)
            if isinstance(order, list):
                return replies.invalid("invalid-order", "The order has faults", order)
            if found := breaches(self._limits, order.price_ticks, order.quantity_lots):
                return replies.invalid(
                    "risk", "The order exceeds a limit", [Fault(f"/{b.member}", b.detail) for b in found]
                )
            stamps.validated = time.monotonic_ns()
            answer = await self._path.place(account, order, stamps, trace)
            return reply_to(answer, order.client_order_id, 201)

        if not is_json(headers):
            return replies.unsupported_media_type()
        return await self._watched(PLACE, headers, began, work)

    async def cancel(self, headers: list[Header], order_id: int, began: int) -> Reply:
        async def work(account: int, stamps: Stamps, trace: bytes) -> Reply:
            stamps.validated = time.monotonic_ns()
            return reply_to(await self._path.cancel(account, order_id, stamps, trace), None, 200)

        return await self._watched(CANCEL, headers, began, work)

    async def _watched(
        self, endpoint: str, headers: list[Header], began: int,
        work: Callable[[int, Stamps, bytes], Awaitable[Reply]],
    ) -> Reply:  # fmt: skip
        """Admit, authenticate, work, and tell of it."""
        refusal = self._work.refusal()
        if refusal is not None:
            return refusal
        self._work.in_flight += 1
        account = None
        stamps = Stamps(began)
        wall_ns = time.time_ns() - (time.monotonic_ns() - began)
        span = self._tracer.start(header_of(headers, b"traceparent"), wall_ns)
        try:
            account = await self._access.account_of(key_in(headers))
            if account is None:
                reply = replies.unauthenticated()
            else:
                reply = await work(account, stamps, trace_parent_of(span) if span else b"")
        except Malformed as error:
            reply = replies.malformed(str(error))
        except LedgerAway as error:
            reply = replies.unavailable("ledger-away", f"the API key could not be looked up: {error}")
        finally:
            self._work.in_flight -= 1
        self._tell(endpoint, account, stamps, reply, span, wall_ns)
        return reply

    def _tell(
        self, endpoint: str, account: int | None, stamps: Stamps, reply: Reply, span: Span | None, wall_ns: int
    ) -> None:
        fields: dict[str, object] = {"endpoint": endpoint, "account": account, "status": reply.status, **reply.logged}
        ended = time.monotonic_ns()
        span = span or self._tracer.start_late(wall_ns, ended - stamps.began, reply.status)
        traced = {"trace_id": f"{span.get_span_context().trace_id:032x}"} if span is not None else None
        last = stamps.began
        stages = []
        for name, at in (
            ("validate", stamps.validated), ("engine", stamps.sequenced), ("ledger", stamps.recorded),
            ("publish", stamps.published),
        ):  # fmt: skip
            if not at:
                break
            self._stages[name]((at - last) * 1e-9, traced)
            fields[f"{name}_us"] = (at - last) // 1000
            stages.append((name, last, at))
            last = at
        fields["total_us"] = (ended - stamps.began) // 1000
        if stamps.recorded:
            self._ledger_wait(stamps.ledger_waited_ns * 1e-9)
        if span is not None:
            fields |= traced or {}
            to_wall = wall_ns - stamps.began
            spans = [
                Stage(n, a + to_wall, b + to_wall, within(stamps, n, a + to_wall, b + to_wall)) for n, a, b in stages
            ]
            named = {name: fields[name] for name in (*TRACED, "status") if fields.get(name) is not None}
            self._tracer.finish(span, ended + to_wall, spans, named)
        if self._telemetry.logs_orders:
            self._telemetry.log.info("order", **log_fields("order", fields))


def within(stamps: Stamps, stage: str, start_ns: int, end_ns: int) -> tuple[Stage, ...]:
    """What is known of the inside of a stage: the wait for a connection, and the engine's own account."""
    if stage == "ledger" and stamps.ledger_waited_ns:
        taken_ns = start_ns + stamps.ledger_waited_ns
        return (Stage("ledger.queued", start_ns, taken_ns), Stage("ledger.commit", taken_ns, end_ns))
    return in_engine(stamps, end_ns) if stage == "engine" else ()


def in_engine(stamps: Stamps, end_ns: int) -> tuple[Stage, ...]:
    """Laid so that it ends when the result came."""
    if stamps.timing is None or not stamps.timing.batch_size:
        return ()
    timing = stamps.timing
    synced = end_ns - timing.synced_ns
    matched = synced - timing.matched_ns
    return (
        Stage("engine.queued", matched - timing.queued_ns, matched),
        Stage("engine.matched", matched, synced),
        Stage("engine.synced", synced, end_ns),
    )


def reply_to(answer: Answer | NoAnswer, client_order_id: str | None, status: int) -> Reply:
    if isinstance(answer, NoAnswer):
        return reply_without_result(answer)
    result = answer.result
    outcome = OUTCOMES[result.outcome]
    document: dict[str, object] = {"order_id": result.order_id, "sequence": result.sequence, "outcome": outcome}
    if client_order_id is not None:
        document["client_order_id"] = client_order_id
    logged = dict(document)
    headers = (replies.REPLAYED,) if answer.is_repeat else ()
    if result.reason:
        logged["reason"] = document["reason"] = REASONS[result.reason]
    if result.outcome == pb.REJECTED:
        status = 404 if result.reason == pb.NO_SUCH_ORDER else 422
        return replies.problem(
            status, "rejected", "The book refused it", f"reason: {document['reason']}", told="rejected",
            headers=headers, logged=logged, **document,
        )  # fmt: skip
    document["filled_lots"] = result.filled_lots
    document["remaining_lots"] = result.resting_lots
    document["cancelled_lots"] = result.cancelled_lots
    if status == 201:
        document["fills"] = [
            {
                "trade_id": f.trade_id,
                "maker_order_id": f.maker_order_id,
                "price_ticks": f.price_ticks,
                "quantity_lots": f.quantity_lots,
            }
            for f in result.fills
        ]
    told = "repeated" if answer.is_repeat else "ok"
    return Reply(status, orjson.dumps(document), told, (replies.JSON, *headers), logged)


def reply_without_result(why: NoAnswer) -> Reply:
    if why is NoAnswer.NOT_SEQUENCED:
        return replies.unavailable("not-sequenced", why.value)
    if why is NoAnswer.ANOTHER_COMMAND:
        return replies.problem(
            409, "client-order-id-used", "Another order has this client order id",
            "it was given before with other terms; choose a new client order id", told="conflict",
        )  # fmt: skip
    return replies.outcome_unknown(why.value)


def header_of(headers: list[Header], name: bytes) -> bytes | None:
    for key, value in headers:
        if key == name:
            return value
    return None


def is_json(headers: list[Header]) -> bool:
    given = header_of(headers, b"content-type")
    return given is not None and given.partition(b";")[0].strip().lower() == b"application/json"
