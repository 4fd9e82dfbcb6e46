"""How long the threads of a part were ready to run and no core was free: what a busy host costs each of them.

/proc tells it of each thread for as long as the thread lives. The sums here only grow: what a thread waited before it
ended stays counted up to the last look at it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")


class RunQueueDelays:
    """Nanoseconds of run-queue delay by name, grown at each look."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._of_thread: dict[str, dict[str, int]] = {}
        self._sum_ns: dict[str, int] = {}

    def look(self, name: str, pids: Iterable[int]) -> int:
        """The delay of all threads of these processes since the first look, and of those that ended meanwhile."""
        before = self._of_thread.get(name, {})
        now = dict(self._threads(pids))
        grown = sum(delay - before.get(thread, 0) for thread, delay in now.items())
        self._of_thread[name] = now
        self._sum_ns[name] = self._sum_ns.get(name, 0) + grown
        return self._sum_ns[name]

    def _threads(self, pids: Iterable[int]) -> Iterable[tuple[str, int]]:
        for pid in pids:
            try:
                threads = list((self._proc / str(pid) / "task").iterdir())
            except OSError:
                continue  # it has ended
            for thread in threads:
                try:
                    yield thread.name, int((thread / "schedstat").read_text().split()[1])
                except (OSError, IndexError):
                    continue
