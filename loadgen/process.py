"""What the generator's processes ask of the machine before they load, where it may be had."""

from __future__ import annotations

import contextlib
import os
import resource


def take_precedence(pid: int = 0, priority: int = 1) -> bool:
    """Real-time priority: an answer is read and a request sent when it is due, however busy the machine is. It escapes
    the CPU quota; what it used is judged against its allotment all the same. `pid`: of another process. False where
    the machine does not grant it."""
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.sched_setscheduler(pid, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
        return True
    return False


def want_descriptors() -> None:
    """Each request in flight takes one, here and in the ssh that inherits the limit; shells give 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
