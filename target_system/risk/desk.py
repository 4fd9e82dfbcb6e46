"""Whether an order may go: the rules, asked in the order of their cost, over a portfolio that is kept up to date.

A repeated order is not judged again. It got its answer, or will get it from the engine; a refusal now, because the
market or the account has moved on, would deny what happened. So where a rule that depends on the moment says no, the
ledger is asked whether the order is known.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from target_system.risk.follower import Follower
from target_system.risk.limits import Breach, Limits, Order, RiskReason, order_breaches
from target_system.risk.portfolio import Portfolio, PortfolioAway

ALWAYS_THE_SAME = frozenset((RiskReason.QUANTITY_LIMIT, RiskReason.NOTIONAL_LIMIT))


class RiskDesk:
    def __init__(
        self, limits: Limits, portfolio: Portfolio, follower: Follower,
        is_recorded: Callable[[int, str], Awaitable[bool]],
    ) -> None:  # fmt: skip
        """`is_recorded`: whether the ledger has a command of this identity."""
        self._limits, self._portfolio, self._follower, self._is_recorded = limits, portfolio, follower, is_recorded

    async def admit(self, order: Order) -> tuple[Breach, ...]:
        """Why the order may not go; nothing, and it is counted. Raises PortfolioAway where that cannot be said now."""
        if not self._follower.has_begun:
            raise PortfolioAway("positions and open orders are being read")
        last = self._follower.last_price_ticks(order.symbol)
        found = order_breaches(self._limits, order, last)
        if not found:
            breach = await self._portfolio.reserve(order, order.notional(last), self._limits)
            found = () if breach is None else (breach,)
        if not found or (order.price_ticks and any(breach.reason in ALWAYS_THE_SAME for breach in found)):
            return found
        is_repeat = self._follower.has_seen(order.account, order.name) or await self._is_recorded(
            order.account, order.name
        )
        return () if is_repeat else found

    async def was_not_sequenced(self, order: Order) -> None:
        await self._portfolio.forget(order)

    async def was_repeated(self, order: Order, sequence: int) -> None:
        """It was sequenced before. If that is followed already, nobody else will end the reservation of the repeat."""
        if sequence <= self._follower.sequence:
            await self._portfolio.forget(order)
