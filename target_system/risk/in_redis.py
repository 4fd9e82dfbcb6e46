"""The portfolio in Redis, one for all gateways: each question is one script, which Redis runs alone.

However many gateways ask at once, their reservations together never go beyond a limit. What it does not survive is the
loss of Redis: exposures come back from the engine's results within `follow_ms`, but reservations of orders on their
way, and what was sent within the second, are forgotten. While Redis is away, new orders are refused (503).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from target_system.risk.exposures import Step
from target_system.risk.limits import Breach, Exposure, Limits, Order, position_breach, rate_breach
from target_system.risk.portfolio import RESERVED_MAX_S, PortfolioAway

WATERMARK = "risk:watermark"
FOLDER = Path(__file__).parent
LOST = (RedisError, OSError, TimeoutError)


class InRedis:
    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._reserve = client.register_script((FOLDER / "reserve.lua").read_text())
        self._settle = client.register_script((FOLDER / "settle.lua").read_text())

    async def reserve(self, order: Order, notional: int, limits: Limits) -> Breach | None:
        found = await self._run(
            self._reserve, keys_of(order.account),
            [order.name, order.symbol, "buy" if order.is_buy else "sell", order.quantity_lots, notional,
             limits.position_lots_max, limits.exposure_per_s_max, int(RESERVED_MAX_S * 1000)],
        )  # fmt: skip
        if not found:
            return None
        position, open_buy, open_sell, sent = found
        exposure = Exposure(position, open_buy, open_sell)
        return position_breach(limits, order, exposure) or rate_breach(limits, sent, notional)

    async def forget(self, order: Order) -> None:
        try:
            await self._client.hdel(keys_of(order.account)[1], order.name)
        except LOST as error:
            raise PortfolioAway(repr(error)) from error

    async def settle(self, step: Step) -> bool:
        arguments: list[Any] = [step.first, step.last, len(step.exposures)]
        for (account, symbol), exposure in step.exposures.items():
            arguments += (account, symbol, exposure.position, exposure.open_buy, exposure.open_sell)
        for identity in step.settled:
            arguments += identity
        return bool(await self._run(self._settle, [WATERMARK], arguments))

    async def _run(self, script: Any, keys: list[str], arguments: list[Any]) -> Any:
        try:
            return await script(keys, arguments)
        except LOST as error:
            raise PortfolioAway(repr(error)) from error


def keys_of(account: int) -> list[str]:
    return [f"risk:exposure:{account}", f"risk:reserved:{account}", f"risk:sent:{account}"]
