"""What one order goes through: engine, ledger, Redis, in this order. Decision 1 says what a crash between them leaves.

The path knows no HTTP: it takes a command and gives an Answer, or says why there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from target_system.gateway.engine_stream import NoResult
from target_system.ledger.connections import LedgerAway
from target_system.ledger.rows import Entry, Symbols, entry_of
from target_system.ledger.write_path import WritePath
from target_system.proto import engine_pb2 as pb


class Engine(Protocol):
    async def ask(self, command: pb.Command) -> pb.Result | NoResult: ...


class Projects(Protocol):
    async def apply(self, entry: Entry) -> bool: ...


class NoAnswer(Enum):
    """Why a command has no answer now. The first did not happen; what became of the second, a repeat will tell."""

    NOT_SEQUENCED = "the engine did not take it"
    ENGINE_SILENT = "the engine did not answer in time"
    LEDGER_SILENT = "the ledger did not confirm in time"
    ANOTHER_COMMAND = "this client order id stands for another order"


@dataclass(slots=True)
class Stamps:
    """When each stage ended, monotonic nanoseconds; 0 where it was not reached."""

    began: int
    validated: int = 0
    sequenced: int = 0
    recorded: int = 0
    published: int = 0
    ledger_waited_ns: int = 0
    """Of the time in the ledger: until a connection took the order."""
    timing: pb.Timing | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a command that is in the ledger. `is_repeat`: the command had been given before."""

    result: pb.Result
    is_repeat: bool


class OrderPath:
    def __init__(
        self, engine: Engine, ledger: WritePath, projection: Projects, symbols: Symbols, on_skip: Callable[[], None]
    ) -> None:
        self._engine, self._ledger, self._projection, self._symbols = engine, ledger, projection, symbols
        self._on_skip = on_skip

    async def execute(self, command: pb.Command, stamps: Stamps) -> Answer | NoAnswer:
        """Sets when the command was received, here and now."""
        command.received_ns = time.time_ns()
        result = await self._engine.ask(command)
        stamps.sequenced = time.monotonic_ns()
        if isinstance(result, NoResult):
            return NoAnswer.NOT_SEQUENCED if result is NoResult.NEVER_SENT else NoAnswer.ENGINE_SILENT
        if result.outcome == pb.NOT_SEQUENCED:
            return NoAnswer.NOT_SEQUENCED
        stamps.timing = result.timing
        first = result.command if result.repeated_command else command
        if first is not command and not is_same_command(first, command):
            return NoAnswer.ANOTHER_COMMAND
        entry = entry_of(first, result, self._symbols)
        try:
            stamps.ledger_waited_ns = await self._ledger.record(entry)
        except LedgerAway:
            return NoAnswer.LEDGER_SILENT
        stamps.recorded = time.monotonic_ns()
        if not await self._projection.apply(entry):
            self._on_skip()
        stamps.published = time.monotonic_ns()
        # A command that this gateway sent again over a new stream comes back as a repeat of itself.
        return Answer(result, first is not command and first.received_ns != command.received_ns)


def is_same_command(first: pb.Command, second: pb.Command) -> bool:
    """Whether the client asks for the same thing; who received it when does not matter."""
    return (
        first.kind == second.kind
        and first.symbol == second.symbol
        and first.side == second.side
        and first.order_type == second.order_type
        and first.time_in_force == second.time_in_force
        and first.self_trade_prevention == second.self_trade_prevention
        and first.has_symbol == second.has_symbol
        and first.price_ticks == second.price_ticks
        and first.quantity_lots == second.quantity_lots
        and first.order_id == second.order_id
    )
