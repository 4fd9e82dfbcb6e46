from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.target_system.engine.conftest import binaries, engine, start
from tests.target_system.engine.server import EngineServer
from tests.target_system.market_data.desk import Desk, open_desk

__all__ = ["binaries", "engine", "start"]


@pytest.fixture
async def desk(engine: EngineServer, ledger_dsn: str, redis_url: str) -> AsyncIterator[Desk]:
    async with open_desk(engine, ledger_dsn, redis_url) as opened:
        yield opened
