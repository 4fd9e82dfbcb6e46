"""What Ctrl-C does to a campaign: it ends a window's load at once, and spares what was measured."""

from __future__ import annotations

import math
import signal
import threading
from types import FrameType, TracebackType
from typing import Self

NONE, FIRST, ALL = 0, 1, math.inf


class CtrlC:
    """Within its context so many as it is told to spare are only counted in `came`; one more is a KeyboardInterrupt.

    Only the main thread is ever interrupted; entered in another, it does nothing.
    """

    def __init__(self) -> None:
        self.came = 0
        self._spared: float = NONE

    def spare(self, count: float) -> None:
        """Of all that come, those that came before included. Raises KeyboardInterrupt where that were more."""
        self._spared = count
        self._judge()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._before)

    def _heard(self, _: int, __: FrameType | None) -> None:
        self.came += 1
        self._judge()

    def _judge(self) -> None:
        if self.came > self._spared:
            raise KeyboardInterrupt
