"""Follows the engine's results in sequence and hands what they change to the portfolio.

It begins with the books and the positions as of one sequence number, then asks for what came since, at short intervals.
When it cannot go on it begins anew; until it has begun, no order is let go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from target_system.proto import engine_pb2 as pb
from target_system.risk.exposures import Exposures, Key, OutOfSequence
from target_system.risk.portfolio import Portfolio, PortfolioAway

RECENT_MAX = 65_536
REST_S = 0.1


class CannotFollow(Exception):
    """The engine or the ledger does not answer now."""


AWAY = (CannotFollow, PortfolioAway)


@dataclass(frozen=True, slots=True)
class Beginning:
    """Everything as of `sequence`."""

    sequence: int
    resting: Sequence[pb.RestingOrder]
    positions: dict[Key, int]
    last_price_ticks: dict[str, int]


class Follower:
    """`begin` and `results` (all after a sequence number, with their commands, a bounded number) raise CannotFollow."""

    def __init__(
        self, symbols: Sequence[str], portfolio: Portfolio, begin: Callable[[], Awaitable[Beginning]],
        results: Callable[[int], Awaitable[Sequence[pb.Result]]], every_s: float, on_trouble: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._symbols, self._portfolio, self._begin, self._results = symbols, portfolio, begin, results
        self._every_s, self._on_trouble = every_s, on_trouble
        self._exposures: Exposures | None = None
        self._recent: dict[tuple[int, str], None] = {}

    @property
    def sequence(self) -> int:
        """The last that is settled; 0 before the beginning."""
        return self._exposures.sequence if self._exposures else 0

    @property
    def has_begun(self) -> bool:
        return self._exposures is not None

    def last_price_ticks(self, symbol: str) -> int | None:
        return self._exposures.last_price_ticks.get(symbol) if self._exposures else None

    def has_seen(self, account: int, name: str) -> bool:
        """Whether this was the identity of one of the last RECENT_MAX orders: the ledger may not have it yet."""
        return (account, name) in self._recent

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._follow()
            except (*AWAY, OutOfSequence) as error:
                self._on_trouble(repr(error))
                await asyncio.sleep(REST_S)

    async def _follow(self) -> None:
        exposures = Exposures(self._symbols)
        began = await self._begin()
        exposures.start(began.sequence, began.resting, began.positions)
        exposures.last_price_ticks |= began.last_price_ticks
        await self._portfolio.settle(exposures.all())
        self._exposures = exposures
        while True:
            try:
                await self._catch_up(exposures)
            except AWAY as error:
                self._on_trouble(repr(error))
            await asyncio.sleep(self._every_s)

    async def _catch_up(self, exposures: Exposures) -> None:
        """Settle everything that the engine has by now; nothing new is settled too, so that a portfolio that has lost
        what it knew is found out."""
        results: Sequence[pb.Result] | None = None
        while results is None or results:
            results = await self._results(exposures.sequence)
            step = exposures.follow(results)
            self._recent |= dict.fromkeys(step.settled)
            while len(self._recent) > RECENT_MAX:
                del self._recent[next(iter(self._recent))]
            if not await self._portfolio.settle(step):
                await self._portfolio.settle(exposures.all())
