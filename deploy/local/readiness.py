"""Whether a part answers, asked without blocking the supervisor. Why not a library: docs/decisions/0002.

Deadlines are `asyncio.timeout`: Python 3.11's `wait_for` forgets that it was cancelled where the answer comes in the
same moment, and who asks again and again then cannot be ended.
"""

from __future__ import annotations

import asyncio

from deploy.local.spec import Alive, Ready

ASK_DEADLINE_S = 1.0


async def answers(ready: Ready) -> bool:
    try:
        async with asyncio.timeout(ASK_DEADLINE_S):
            return await _ask(ready)
    except (OSError, TimeoutError):
        return False


async def lives(alive: Alive) -> bool:
    try:
        async with asyncio.timeout(ASK_DEADLINE_S):
            return await _hear(alive)
    except (OSError, TimeoutError):
        return False


async def _hear(alive: Alive) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", alive.port)
    try:
        writer.write(alive.ask)
        return bool(await reader.read(1))
    finally:
        writer.close()


async def _ask(ready: Ready) -> bool:
    if ready.command:
        process = await asyncio.create_subprocess_exec(
            *ready.command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        return await process.wait() == 0
    reader, writer = await asyncio.open_connection("127.0.0.1", ready.port)
    try:
        if ready.path is None:
            return True
        writer.write(f"GET {ready.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        status = (await reader.readline()).split()
        return len(status) > 1 and status[1].startswith(b"2")
    finally:
        writer.close()
