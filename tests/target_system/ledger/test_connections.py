"""Who waits for a connection may give up, or be ended, in the very moment in which one is given back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from target_system.ledger.connections import Connections, LedgerAway, SilentWatcher

MOMENTS = 8
"""Turns of the event loop between the give-up and the release: the dangerous ones are among the first."""


class Connection:
    """One that is never closed."""

    def is_closed(self) -> bool:
        return False


def pool_of_one() -> tuple[Connections, Connection]:
    """Its connection is at work."""
    return Connections("", 1, "1", SilentWatcher(), 1_000), Connection()


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def has_it(pool: Connections, asking: asyncio.Task[Any], connection: Connection) -> bool:
    """Whether the connection is with who asked for it, or else free; and nobody waits any more."""
    got = not asking.cancelled() and asking.exception() is None
    return (pool.free, pool.waiting, got and asking.result() is connection) == (int(not got), 0, got)


@pytest.mark.parametrize("turns_between", range(MOMENTS))
async def test_no_connection_is_lost_in_the_moment_of_the_deadline(turns_between: int) -> None:
    pool, connection = pool_of_one()
    asking = asyncio.create_task(pool.acquire(0.0))
    await turns(turns_between)
    pool.release(connection)
    await asyncio.wait([asking])
    assert isinstance(asking.exception(), LedgerAway | None)
    assert has_it(pool, asking, connection)


@pytest.mark.parametrize("turns_between", range(MOMENTS))
@pytest.mark.parametrize("is_release_first", [True, False])
async def test_no_connection_is_lost_to_one_who_is_ended(turns_between: int, is_release_first: bool) -> None:
    pool, connection = pool_of_one()
    asking = asyncio.create_task(pool.acquire(10.0))
    await turns(2)
    first, second = asking.cancel, lambda: pool.release(connection)
    if is_release_first:
        first, second = second, first
    first()
    await turns(turns_between)
    second()
    await asyncio.wait([asking])
    assert has_it(pool, asking, connection)
