"""One part as a live process: start it until it answers, keep it running, report what happens to it, stop it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import psutil

from deploy.local.cpu_groups import CpuGroups
from deploy.local.launch import launch
from deploy.local.readiness import answers, lives
from deploy.local.restarts import pause_before_restart_s
from deploy.local.site import write_private
from deploy.local.spec import PartSpec
from deploy.local.status import ClusterEvent, EventKind, PartState

POLL_S = 0.02
WATCH_EVERY_S = 0.5
INSIST_S = 2.0
LOG_END_LINES = 20
LOG_END_BYTES = 8_192
DEATHS_MAX = 1_000


class PartFailed(Exception):
    """A part did not start; the text says how it ended and the last lines it wrote."""


class Process:
    """Owned by the supervisor's event loop. `stop` may be called at any moment, also while it starts or waits."""

    def __init__(self, spec: PartSpec, log: Path, groups: CpuGroups, report: Callable[[ClusterEvent], None]) -> None:
        self.spec, self.log = spec, log
        self.state = PartState.STOPPED
        self.restarts = 0
        self.said = ""
        self.pid: int | None = None
        self.cpu_quota_cores = spec.limit.cores
        self.asked, self.answer_s = 0, 0.0
        self._groups, self._report = groups, report
        self._process: asyncio.subprocess.Process | None = None
        self._keepers: list[asyncio.Task[None]] = []
        self._deaths_ns: deque[int] = deque(maxlen=DEATHS_MAX)
        self._log_from = 0

    async def start(self) -> None:
        """Until it answers; from then on it is kept running. Raises PartFailed."""
        await self._launch()
        self._keepers = [asyncio.create_task(self._keep()), asyncio.create_task(self._watch())]

    async def stop(self, grace_s: float) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await self._end(self.spec.stop_signal, grace_s)
        self.state = PartState.STOPPED

    async def restart(self, grace_s: float) -> None:
        """Ends it in order, starts it anew and waits until it answers; one that does not live is not waited for.
        Raises PartFailed; then it stays down."""
        await self.stop(grace_s if await lives(self.spec.alive) else 0.0)
        self.restarts += 1
        await self.start()
        self._tell(EventKind.RESTARTED, "as asked", "")

    def send(self, signum: int, *, whole: bool = False) -> bool:
        """Whether there was a process to send it to. `whole`: to its descendants too."""
        if self._process is None or self._process.returncode is not None:
            return False
        if whole:
            with contextlib.suppress(psutil.NoSuchProcess):  # it ends in this moment
                for child in psutil.Process(self._process.pid).children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.send_signal(signum)
        self._process.send_signal(signum)
        return True

    async def _launch(self) -> None:
        self.state = PartState.STARTING
        for path, text in self.spec.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, text)
        with self.log.open("ab") as out:
            self._log_from = out.tell()
            self._process = await launch(
                self.spec.command,
                out,
                entrances=self._groups.entrances(self.spec.cpu_group),
                environment=self.spec.environment,
                unprivileged=self.spec.unprivileged,
                death_signal=self.spec.death_signal,
            )
        self.pid = self._process.pid
        await self._until_it_answers()
        self.state = PartState.UP

    async def _until_it_answers(self) -> None:
        assert self._process is not None
        ready = self.spec.ready
        deadline = time.monotonic() + ready.deadline_s
        while True:
            answered = await answers(ready)
            if self._process.returncode is not None:  # then whoever answered was another
                raise PartFailed(self._sentence(f"{ending(self._process.returncode)} while starting"))
            if answered:
                return
            if time.monotonic() > deadline:
                await self._end(signal.SIGKILL, 0)
                raise PartFailed(self._sentence(f"does not answer on port {ready.port} after {ready.deadline_s:g} s"))
            await asyncio.sleep(POLL_S)

    async def _keep(self) -> None:
        """Wait for its death, report it, start it again after a pause; give up on a crash loop."""
        unstarted = ""
        while True:
            assert self._process is not None
            code = await self._process.wait()
            end = unstarted or ending(code)
            self.pid = None
            self._deaths_ns.append(time.monotonic_ns())
            self._tell(EventKind.DIED, end, self.log_end())
            pause_s = pause_before_restart_s(self.spec.restarts, tuple(self._deaths_ns))
            if pause_s is None:
                self.state = PartState.GIVEN_UP
                policy = self.spec.restarts
                said = f"died more than {policy.restarts_max} times within {policy.within_s:g} s, last: {end}"
                self._tell(EventKind.GIVEN_UP, said, self.log_end())
                return
            self.state = PartState.RESTARTING
            await asyncio.sleep(pause_s)
            self.restarts += 1
            unstarted = ""
            try:
                await self._launch()
                self._tell(EventKind.RESTARTED, f"after a pause of {pause_s:g} s", "")
            except PartFailed:
                pass  # it has died again, which the next turn reports
            except OSError as error:  # a full disk, no memory: counted as one more death
                unstarted = f"could not be started: {error}"

    async def _watch(self) -> None:
        """Say when it lives and does not answer any more, and when it answers again."""
        policy = self.spec.restarts
        heard = time.monotonic()
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            if self.state not in (PartState.UP, PartState.HUNG) or await self._answers():
                if self.state is PartState.HUNG:
                    self.state = PartState.UP
                    self._tell(EventKind.ANSWERS, f"after {time.monotonic() - heard:.1f} s of silence", "")
                heard = time.monotonic()
            elif self.state is PartState.UP and time.monotonic() - heard >= policy.hung_after_s:
                self.state = PartState.HUNG
                self._tell(EventKind.HUNG, f"no answer for {policy.hung_after_s:g} s", self.log_end())
                if policy.hung_restart:
                    self.send(signal.SIGKILL, whole=True)

    async def _answers(self) -> bool:
        """Whether it lives, and how long it takes to say so: asked past every proxy, so only the part can be slow."""
        began = time.monotonic()
        it_lives = await lives(self.spec.alive)
        self.asked += 1
        self.answer_s += time.monotonic() - began
        return it_lives

    async def _end(self, signum: signal.Signals, grace_s: float) -> None:
        """Ask, then insist, then force; Postgres takes its shared memory along as long as it is not forced."""
        if self._process is None:
            return
        for step, patience_s in ((signum, grace_s), (self.spec.death_signal, INSIST_S), (signal.SIGKILL, None)):
            if not self.send(step):
                break
            if step not in (signum, signal.SIGKILL):
                self.send(signal.SIGCONT, whole=True)  # one that is frozen hears nothing else
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._process.wait()
        self.pid = None

    def log_end(self) -> str:
        """The last lines that this incarnation wrote."""
        with self.log.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(min(self._log_from, size), size - LOG_END_BYTES))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-LOG_END_LINES:])

    def _tell(self, kind: EventKind, said: str, log_end: str) -> None:
        self.said = f"{kind}: {said}"
        self._report(ClusterEvent(time.time_ns(), kind, self.spec.name, said, log_end))

    def _sentence(self, what: str) -> str:
        end = "\n".join(f"    {line}" for line in self.log_end().splitlines())
        return f"{self.spec.name} {what}; its log ({self.log}) ends\n{end or '    empty'}"


def ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit {code}"
