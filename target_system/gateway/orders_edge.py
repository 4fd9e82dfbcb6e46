"""Every command of clients and operators, from headers and body to a Reply."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from target_system.gateway import commands, replies
from target_system.gateway.answers import TRADING, reply_to
from target_system.gateway.order_path import Answer, NoAnswer, OrderPath, Stamps
from target_system.gateway.replies import Fault, Header, Reply
from target_system.gateway.risk_wiring import order_in
from target_system.gateway.validation import Forms, Malformed
from target_system.ledger.access import Access, key_in
from target_system.ledger.connections import LedgerAway
from target_system.ledger.rows import Symbols
from target_system.proto import engine_pb2 as pb
from target_system.risk.desk import RiskDesk
from target_system.risk.limits import Breach, Order
from target_system.risk.portfolio import PortfolioAway
from target_system.telemetry import Telemetry
from target_system.tracing import OrderTracer, Root, Stage

PLACE = "POST /v1/orders"
CANCEL = "DELETE /v1/orders/{id}"

REPLACE = "PUT /v1/orders/{id}"
MASS_CANCEL = "POST /v1/mass-cancels"
END_SESSION = "DELETE /v1/session"
HALT = "POST /v1/symbols/{symbol}/halt"
RESUME = "POST /v1/symbols/{symbol}/resume"
KILL = "POST /v1/accounts/{account}/kill"
LIFT = "POST /v1/accounts/{account}/lift"

TRACED = ("endpoint", "account", "client_order_id", "order_id", "sequence", "outcome", "reason")
"""Attributes of an order's span: by them it is found, and joined with what the client saw."""

Compose = Callable[[int], pb.Command | list[Fault] | Reply]
Who = Callable[[bytes | None], Awaitable[int | None]]


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
    """Every endpoint that sends a command. `compose` turns account and body into the command, or into a refusal."""

    def __init__(
        self, access: Access, path: OrderPath, forms: Forms, symbols: Symbols, risk: RiskDesk, work: Work,
        telemetry: Telemetry, tracer: OrderTracer,
    ) -> None:  # fmt: skip
        self._access, self._path, self._forms, self._symbols = access, path, forms, symbols
        self._risk, self._work, self._telemetry, self._tracer = risk, work, telemetry, tracer
        get = telemetry.metrics.get
        self._ledger_wait = get("gateway_ledger_wait_seconds").observe
        self._risk_check = get("gateway_risk_check_seconds").observe
        self._stages = {s: get("gateway_stage_seconds", s).observe for s in ("validate", "engine", "ledger", "publish")}

    async def place(self, headers: list[Header], body: bytes, began: int) -> Reply:
        def compose(account: int) -> pb.Command | list[Fault]:
            order = self._forms.order(body, account)
            return order if isinstance(order, list) else commands.new_order(account, order, self._symbols)

        return await self._with_body(PLACE, headers, began, compose, 201)

    async def replace(self, headers: list[Header], order_id: int, body: bytes, began: int) -> Reply:
        def compose(account: int) -> pb.Command | list[Fault]:
            given = self._forms.replacement(body)
            return given if isinstance(given, list) else commands.replace(account, order_id, given, self._symbols)

        return await self._with_body(REPLACE, headers, began, compose)

    async def cancel(self, headers: list[Header], order_id: int, began: int) -> Reply:
        return await self._watched(CANCEL, headers, began, lambda account: commands.cancel(account, order_id))

    async def mass_cancel(self, headers: list[Header], body: bytes, began: int) -> Reply:
        def compose(account: int) -> pb.Command | list[Fault]:
            given = self._forms.mass_cancel(body)
            return given if isinstance(given, list) else commands.mass_cancel(account, given, self._symbols)

        return await self._with_body(MASS_CANCEL, headers, began, compose)

    async def disconnect(self, headers: list[Header], session: int, began: int) -> Reply:
        return await self._watched(END_SESSION, headers, began, lambda account: commands.disconnect(account, session))

    async def operate(
        self, endpoint: str, headers: list[Header], body: bytes, began: int, symbol: str | None,
        composed: Callable[[int, str], pb.Command],
    ) -> Reply:  # fmt: skip
        """A command of an operator's; `composed` makes it of the operator's account and the name in the body."""

        def compose(operator: int) -> pb.Command | list[Fault] | Reply:
            if symbol is not None and symbol not in self._symbols.indices:
                return replies.not_found(f"no symbol {symbol} here")
            name = self._forms.operation(body)
            return name if isinstance(name, list) else composed(operator, name)

        return await self._with_body(endpoint, headers, began, compose, who=self._access.operator_of)

    async def _with_body(
        self, endpoint: str, headers: list[Header], began: int, compose: Compose, status: int = 200,
        who: Who | None = None,
    ) -> Reply:  # fmt: skip
        if not is_json(headers):
            return replies.unsupported_media_type()
        return await self._watched(endpoint, headers, began, compose, status, who)

    async def _watched(
        self, endpoint: str, headers: list[Header], began: int, compose: Compose, status: int = 200,
        who: Who | None = None,
    ) -> Reply:  # fmt: skip
        """Admit, authenticate, compose, execute, and tell of it."""
        refusal = self._work.refusal()
        if refusal is not None:
            return refusal
        self._work.in_flight += 1
        account = None
        stamps = Stamps(began)
        wall_ns = time.time_ns() - (time.monotonic_ns() - began)
        root = self._tracer.start(header_of(headers, b"traceparent"), wall_ns)
        try:
            account = await (who or self._access.account_of)(key_in(headers))
            if account is None:
                reply = replies.unauthenticated() if who is None else replies.not_an_operator()
            else:
                command = compose(account)
                reply = await self._execute(command, stamps, root.trace_parent if root else b"", status)
        except Malformed as error:
            reply = replies.malformed(str(error))
        except LedgerAway as error:
            reply = replies.unavailable("ledger-away", f"the ledger could not be asked: {error}")
        finally:
            self._work.in_flight -= 1
        return self._told(endpoint, account, stamps, reply, root, wall_ns)

    async def _execute(
        self, command: pb.Command | list[Fault] | Reply, stamps: Stamps, trace: bytes, status: int
    ) -> Reply:
        if isinstance(command, Reply):
            return command
        if isinstance(command, list):
            return replies.invalid("invalid-order", "The request has faults", command)
        command.trace_parent = trace
        if command.kind in TRADING:
            return await self._trade(command, stamps, status)
        stamps.validated = time.monotonic_ns()
        return reply_to(await self._path.execute(command, stamps), command, status)

    async def _trade(self, command: pb.Command, stamps: Stamps, status: int) -> Reply:
        order = order_in(command, self._symbols)
        asked = time.monotonic_ns()
        try:
            found = await self._risk.admit(order)
        except PortfolioAway as error:
            return replies.unavailable("risk-away", str(error))
        stamps.validated = time.monotonic_ns()
        self._risk_check((stamps.validated - asked) * 1e-9)
        if found:
            return self._refused(found)
        answer = await self._path.execute(command, stamps)
        await self._account_for(order, answer)
        return reply_to(answer, command, status)

    async def _account_for(self, order: Order, answer: Answer | NoAnswer) -> None:
        """End the order's reservation where nobody else will. A failure only leaves it to its time."""
        with suppress(PortfolioAway):
            if answer is NoAnswer.NOT_SEQUENCED:
                await self._risk.was_not_sequenced(order)
            elif isinstance(answer, Answer) and answer.is_repeat:
                await self._risk.was_repeated(order, answer.result.sequence)

    def _refused(self, found: tuple[Breach, ...]) -> Reply:
        for breach in found:
            self._telemetry.metrics.get("gateway_risk_refusals_total", breach.reason).inc()
        return replies.risk(found)

    def _told(
        self, endpoint: str, account: int | None, stamps: Stamps, reply: Reply, root: Root | None, wall_ns: int
    ) -> Reply:
        """Metrics, line and spans of an order that is done; the reply to one that is traced names its trace."""
        fields: dict[str, object] = {"endpoint": endpoint, "status": reply.status, **reply.logged}
        if account is not None:
            fields["account"] = account
        ended = time.monotonic_ns()
        root = root or self._tracer.start_late(wall_ns, ended - stamps.began, reply.status)
        traced = {"trace_id": root.trace_id} if root else None
        last = stamps.began
        stages = []
        for name, microseconds, at in (
            ("validate", "validate_us", stamps.validated), ("engine", "engine_us", stamps.sequenced),
            ("ledger", "ledger_us", stamps.recorded), ("publish", "publish_us", stamps.published),
        ):  # fmt: skip
            if not at:
                break
            self._stages[name]((at - last) * 1e-9, traced)
            fields[microseconds] = (at - last) // 1000
            stages.append((name, last, at))
            last = at
        fields["total_us"] = (ended - stamps.began) // 1000
        if stamps.recorded:
            self._ledger_wait(stamps.ledger_waited_ns * 1e-9)
        if root:
            to_wall = wall_ns - stamps.began
            spans = [
                Stage(n, a + to_wall, b + to_wall, within(stamps, n, a + to_wall, b + to_wall)) for n, a, b in stages
            ]
            named = {name: fields[name] for name in (*TRACED, "status") if fields.get(name) is not None}
            self._tracer.finish(root, ended + to_wall, spans, named)
            fields["trace_id"] = root.trace_id
            reply = dataclasses.replace(reply, headers=(*reply.headers, (b"traceresponse", root.trace_parent)))
        self._telemetry.log_order(fields)
        return reply


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


def header_of(headers: list[Header], name: bytes) -> bytes | None:
    for key, value in headers:
        if key == name:
            return value
    return None


def is_json(headers: list[Header]) -> bool:
    given = header_of(headers, b"content-type")
    return given is not None and given.partition(b";")[0].strip().lower() == b"application/json"
