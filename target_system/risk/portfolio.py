"""Where accounts' exposures are kept, and the one question asked of them: may this order go?

A portfolio counts an order from the moment it was let go (a reservation, known by the order's identity) until the
engine's result for it has been followed; from then on what rests and what was traded counts. So the order is never
counted too little, and a reservation cannot leak: it ends when the order's sequence number is followed, when the
gateway learns that it was never sequenced, or after `RESERVED_MAX_S`, when no engine would still take it.

Every gateway follows every result (`follower`) and hands each run of them to its portfolio. For a portfolio that the
gateways share, whoever comes first settles; the sequence number makes the others' word a repetition.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from target_system.risk.exposures import Key, Step
from target_system.risk.limits import Breach, Exposure, Limits, Order, position_breach, rate_breach

RESERVED_MAX_S = 10.0
"""Longer than the gateway's deadlines for engine and ledger together."""


class PortfolioAway(Exception):
    """The exposures cannot be had now: nothing was reserved."""


class Portfolio(Protocol):
    async def reserve(self, order: Order, notional: int, limits: Limits) -> Breach | None:
        """Count the order in, or say what it would breach. An order that is counted already may go. PortfolioAway."""

    async def forget(self, order: Order) -> None:
        """The order was not sequenced now: count it no more. PortfolioAway: its time will run out."""

    async def settle(self, step: Step) -> bool:
        """False: something before the step is lacking; settle `Exposures.all()` instead. PortfolioAway."""


@dataclass(frozen=True, slots=True)
class Reservation:
    key: Key
    is_buy: bool
    lots: int
    until_s: float


@dataclass(slots=True)
class Memory:
    """In this process: no round trip, no store that could be away.

    With one gateway it never lets an order beyond a limit. With several, each knows its own orders at once and the
    others' only when they have been followed, some `follow_ms` after the engine synced them: n gateways that are asked
    within that time may together let through up to n times the room that was left. The rate of exposure counts
    what goes through this gateway alone, so n gateways let through n times as much.
    """

    clock: Callable[[], float] = time.monotonic
    _exposures: dict[Key, Exposure] = field(default_factory=dict)
    _reserved: dict[tuple[int, str], Reservation] = field(default_factory=dict)
    _reserved_lots: dict[tuple[Key, bool], int] = field(default_factory=dict)
    _sent: dict[int, tuple[int, int]] = field(default_factory=dict)
    _sequence: int = 0

    async def reserve(self, order: Order, notional: int, limits: Limits) -> Breach | None:
        now = self.clock()
        self._expire(now)
        identity, key = (order.account, order.name), (order.account, order.symbol)
        if identity in self._reserved:
            return None
        second, sent = self._sent.get(order.account, (0, 0))
        sent = sent if second == int(now) else 0
        found = position_breach(limits, order, self.exposure(key)) or rate_breach(limits, sent, notional)
        if found is None:
            self._sent[order.account] = (int(now), sent + notional)
            side = (key, order.is_buy)
            self._reserved[identity] = Reservation(key, order.is_buy, order.quantity_lots, now + RESERVED_MAX_S)
            self._reserved_lots[side] = self._reserved_lots.get(side, 0) + order.quantity_lots
        return found

    async def forget(self, order: Order) -> None:
        self._drop((order.account, order.name))

    async def settle(self, step: Step) -> bool:
        if step.first > self._sequence + 1:
            return False
        self._sequence = max(self._sequence, step.last)
        self._exposures |= step.exposures
        for identity in step.settled:
            self._drop(identity)
        return True

    def exposure(self, key: Key) -> Exposure:
        """With what is on its way."""
        known, lots = self._exposures.get(key, Exposure()), self._reserved_lots
        return Exposure(
            known.position, known.open_buy + lots.get((key, True), 0), known.open_sell + lots.get((key, False), 0)
        )

    def _expire(self, now: float) -> None:
        """The dictionary is in order of time, so the rest need no look."""
        while self._reserved:
            identity, oldest = next(iter(self._reserved.items()))
            if oldest.until_s > now:
                return
            self._drop(identity)

    def _drop(self, identity: tuple[int, str]) -> None:
        reservation = self._reserved.pop(identity, None)
        if reservation is not None:
            self._reserved_lots[reservation.key, reservation.is_buy] -= reservation.lots
