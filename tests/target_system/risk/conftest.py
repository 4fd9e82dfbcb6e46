"""The three portfolios, empty, behind their one protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from target_system.gateway.risk_wiring import portfolio_of
from target_system.ledger.connections import SilentWatcher, for_each_shard
from target_system.risk.portfolio import Portfolio
from target_system.settings import RiskSettings


@pytest.fixture(params=["memory", "redis", "postgres"])
async def portfolio(request: pytest.FixtureRequest, ledger_dsn: str, redis_url: str) -> AsyncIterator[Portfolio]:
    shards = for_each_shard((ledger_dsn,), 8, SilentWatcher(), 2_000)
    for shard in shards:
        shard.start()
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        yield portfolio_of(RiskSettings(portfolio=request.param), client, shards[0], 2.0)
    for shard in shards:
        await shard.close()
