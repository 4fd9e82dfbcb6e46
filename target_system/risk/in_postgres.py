"""The portfolio in the ledger's first shard, one for all gateways: two functions of the database, one call each.

However many gateways ask at once, their reservations together never go beyond a limit: a row of the account is locked
from the question to the commit, so an account's orders are asked about one after the other, each for a round trip and a
commit that is not synced. The tables are unlogged: after a crash of Postgres they are empty, exposures come back from
the engine's results within `follow_ms`, and reservations of orders on their way are forgotten. While Postgres is away,
new orders are refused (503), which they are without it anyway.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from target_system.risk.exposures import Step
from target_system.risk.limits import Breach, Exposure, Limits, Order, position_breach, rate_breach
from target_system.risk.portfolio import RESERVED_MAX_S

Fetch = Callable[..., Awaitable[list[Any]]]
"""SQL and its arguments to rows; raises PortfolioAway."""

RESERVE = "SELECT * FROM risk_reserve($1, $2, $3, $4, $5, $6, $7, $8, $9)"
FORGET = "DELETE FROM risk_reservations WHERE account = $1 AND name = $2"
SETTLE = "SELECT risk_settle($1, $2, $3, $4, $5, $6, $7, $8, $9)"


class InPostgres:
    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def reserve(self, order: Order, notional: int, limits: Limits) -> Breach | None:
        found = await self._fetch(
            RESERVE, order.account, order.name, order.symbol, order.is_buy, order.quantity_lots, notional,
            limits.position_lots_max, limits.exposure_per_s_max, RESERVED_MAX_S,
        )  # fmt: skip
        if not found:
            return None
        position, open_buy, open_sell, sent = found[0]
        exposure = Exposure(position, open_buy, open_sell)
        return position_breach(limits, order, exposure) or rate_breach(limits, sent, notional)

    async def forget(self, order: Order) -> None:
        await self._fetch(FORGET, order.account, order.name)

    async def settle(self, step: Step) -> bool:
        keys, exposures = list(step.exposures), list(step.exposures.values())
        (row,) = await self._fetch(
            SETTLE, step.first, step.last, [account for account, _ in keys], [symbol for _, symbol in keys],
            [e.position for e in exposures], [e.open_buy for e in exposures], [e.open_sell for e in exposures],
            [account for account, _ in step.settled], [name for _, name in step.settled],
        )  # fmt: skip
        return bool(row[0])
