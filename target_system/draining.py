"""An HTTP server that leaves in two steps, so that whoever sends it clients sees it go and sends no more."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import FrameType

import uvicorn


class DrainingServer(uvicorn.Server):
    """The first signal calls `begin_stop`; the listener closes `drain_ms` later, or at a second signal."""

    def __init__(self, config: uvicorn.Config, begin_stop: Callable[[], None], drain_ms: int) -> None:
        super().__init__(config)
        self._begin_stop, self._drain_s = begin_stop, drain_ms / 1000
        self._leaves_at = math.inf

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._leaves_at < math.inf:
            super().handle_exit(sig, frame)
            return
        self._begin_stop()
        self._leaves_at = time.monotonic() + self._drain_s

    async def on_tick(self, counter: int) -> bool:
        if time.monotonic() >= self._leaves_at:
            self.should_exit = True
        return await super().on_tick(counter)
