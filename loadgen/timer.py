"""Sleeping until a moment to within microseconds, for a greenlet.

gevent's own sleep rounds up to whole milliseconds (epoll's unit), a schedule error of the generator's own making. A
timerfd watched by the loop has no such grain.
"""

from __future__ import annotations

import ctypes
import os
import time

from gevent import get_hub

_libc = ctypes.CDLL(None, use_errno=True)
_TFD_NONBLOCK, _TFD_CLOEXEC, _TFD_TIMER_ABSTIME = os.O_NONBLOCK, os.O_CLOEXEC, 1
_READABLE = 1


class _TimerSpec(ctypes.Structure):
    """struct itimerspec: interval (unused), then the moment."""

    _fields_ = (
        ("interval_s", ctypes.c_long), ("interval_ns", ctypes.c_long), ("s", ctypes.c_long), ("ns", ctypes.c_long),
    )  # fmt: skip


class Timer:
    """One sleeper's clock, on `time.monotonic_ns`. Owned by one greenlet; close it."""

    def __init__(self) -> None:
        self._fd = _libc.timerfd_create(time.CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._hub = get_hub()
        self._watcher = self._hub.loop.io(self._fd, _READABLE)

    def sleep_until(self, moment_ns: int) -> None:
        """Returns at once, without yielding, when the moment has passed."""
        if moment_ns <= time.monotonic_ns():
            return
        spec = _TimerSpec(0, 0, *divmod(moment_ns, 10**9))
        if _libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        self._hub.wait(self._watcher)
        os.read(self._fd, 8)

    def close(self) -> None:
        self._watcher.close()
        os.close(self._fd)
