"""Who asks a part again and again can be ended at any moment."""

from __future__ import annotations

import asyncio

import pytest

from deploy.local import readiness
from deploy.local.spec import Alive, Ready

MOMENTS = 8
"""Turns of the event loop between the answer and the end: the dangerous one is among the first."""
DEADLINE_S = 2.0


@pytest.mark.parametrize("ask", ["lives", "answers"])
async def test_who_asks_for_ever_ends_when_it_is_told_to_in_the_very_moment_of_an_answer(
    ask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for turns in range(MOMENTS):
        has_come = asyncio.Event()

        async def answer(_: object, has_come: asyncio.Event = has_come) -> bool:
            await has_come.wait()
            await asyncio.sleep(0)
            return True

        monkeypatch.setattr(readiness, "_hear", answer)
        monkeypatch.setattr(readiness, "_ask", answer)
        asking = asyncio.create_task(_for_ever(ask))
        await asyncio.sleep(0)
        has_come.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        ended, _ = await asyncio.wait([asking], timeout=DEADLINE_S)
        asking.cancel()
        assert ended, f"went on when it was ended {turns} turns after the answer"
        assert asking.cancelled()


async def _for_ever(ask: str) -> None:
    while True:
        if ask == "lives":
            await readiness.lives(Alive(1, b"?"))
        else:
            await readiness.answers(Ready(port=1))
