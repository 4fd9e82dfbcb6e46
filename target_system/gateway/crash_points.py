"""Where a test kills the gateway: decision 1 names every point at which a crash may fall, and each must lose nothing.

`GATEWAY_CRASH_AT=committed:50` ends the process, as by kill -9, when the fiftieth order is committed. Resolved when
the gateway is assembled: what is not armed is used as it is, so the path costs nothing more.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

POINTS = ("validated", "sent", "committed", "projected", "answered")
"""Steps 1, 2, 6, 7 and 8 of decision 1; the engine has the others."""

Owner = TypeVar("Owner")
Call = TypeVar("Call", bound=Callable[..., Awaitable[Any]])


class CrashPoints:
    def __init__(self, armed: str | None) -> None:
        """`armed`: the point and at which passing of it to die, as in `committed:50`."""
        self._point, _, count = (armed or "").partition(":")
        self._left = int(count or 0)

    def before(self, point: str, owner: Owner, method: str) -> Owner:
        """The owner, or where the point is armed one whose method is preceded by it."""
        if point != self._point:
            return owner
        call = getattr(owner, method)

        def armed(*arguments: Any) -> Any:
            self._pass()
            return call(*arguments)

        return cast("Owner", _StandIn(owner, method, armed))

    def after(self, point: str, owner: Owner, method: str) -> Owner:
        """The owner, or where the point is armed one whose coroutine method is followed by it."""
        if point != self._point:
            return owner
        return cast("Owner", _StandIn(owner, method, self.after_call(point, getattr(owner, method))))

    def after_call(self, point: str, call: Call) -> Call:
        if point != self._point:
            return call

        async def armed(*arguments: Any) -> Any:
            result = await call(*arguments)
            self._pass()
            return result

        return cast("Call", armed)

    def _pass(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class _StandIn:
    """An object with one method of its own; all else is the owner's."""

    def __init__(self, owner: Any, method: str, call: Callable[..., Any]) -> None:
        self._owner = owner
        setattr(self, method, call)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._owner, name)
