"""The generator alone: what a request costs it beside locust's own client, and how well it keeps a schedule."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from loadgen.assignment import Assignment, Second, Started, Trading
from loadgen.bench import BenchError
from loadgen.child import ROOT
from loadgen.generator import Generator
from loadgen.latency import Receipts, read_receipts
from loadgen.noise import Noise, NoiseMeter
from loadgen.record import Invalidity
from loadgen.validity import MeasuredPart, conditions, reasons

BENCH_USERS = 16
BENCH_RATE_PER_S = 1_000.0
STAND_IN_STOP_S = 5.0
BASE = Assignment(
    host="127.0.0.1", port=0, users=BENCH_USERS, think_time_s=0.0, arrivals=None, in_flight_max=1_000, warm_up_s=0.5,
    duration_s=2.0, timeout_s=10.0, seed=1, id_prefix="bench-0", trading=(Trading(1, "key-1"), Trading(2, "key-2")),
    symbols=("AAPL", "IBM"), add=0.6, cancel=0.25, take=0.15, receipts="",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    rounds: int = 5
    seconds_each: int = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """One load of a stand-in."""

    receipts: Receipts
    seconds: tuple[Second, ...]
    part: MeasuredPart
    noise: Noise

    @property
    def due(self) -> Receipts:
        """The requests that were due in the measured part."""
        intended_ns = self.receipts["intended_ns"]
        return self.receipts[(intended_ns >= self.part.from_ns) & (intended_ns < self.part.until_ns)]

    @property
    def requests_per_core_second(self) -> float:
        first, last = self.part.from_ns, self.part.until_ns
        whole = [second for second in self.seconds if first <= second.t_ns and second.t_ns + 10**9 <= last]
        return sum(second.requests for second in whole) / sum(second.cpu_seconds for second in whole)

    def invalidities(self, allotment_cores: float) -> list[Invalidity]:
        return reasons("bench", conditions(self.receipts, self.seconds, self.noise, self.part, allotment_cores))


@contextlib.contextmanager
def stand_in(behaviour: str) -> Iterator[int]:
    """A server of a known behaviour; gives its port."""
    command = [sys.executable, "-m", "loadgen.bench.stand_in", behaviour]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(STAND_IN_STOP_S)


def measured(assignment: Assignment, on_start: Callable[[int], None] = lambda _: None) -> Measured:
    """`on_start` gets the generator's pid when it has started. Raises GeneratorError, BenchError without an answer."""
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / "receipts"
        told = msgspec.structs.replace(assignment, receipts=str(file))
        pids: list[int] = []
        seconds = []
        with contextlib.ExitStack() as listening, Generator(told, pids.append, Path(scratch) / "log") as generator:
            for report in generator:
                if isinstance(report, Started):
                    on_start(pids[0])
                    part = MeasuredPart(report.measured_from_ns, report.measured_until_ns)
                    sleeper_log = Path(scratch) / "sleeper.log"
                    meter = listening.enter_context(NoiseMeter(part.from_ns, part.until_ns, sleeper_log))
                elif isinstance(report, Second):
                    seconds.append(report)
        receipts = read_receipts(file)
    if not any(second.outcomes.get("ok") for second in seconds):
        raise BenchError("the stand-in answered nothing")
    return Measured(receipts, tuple(seconds), part, meter.noise)


def measure(size: Size) -> dict[str, float]:
    """Requests a core-second of both clients, in turns, against one server; then the open loop's schedule error."""
    ours, theirs = [], []
    closed = msgspec.structs.replace(BASE, warm_up_s=1.0, duration_s=float(size.seconds_each))
    with stand_in("prompt") as port:
        for _ in range(size.rounds):
            ours.append(measured(msgspec.structs.replace(closed, port=port)).requests_per_core_second)
            theirs.append(
                measured(msgspec.structs.replace(closed, port=port, is_fast_http_user=True)).requests_per_core_second
            )
        arrivals = {"kind": "poisson", "rate_per_s": BENCH_RATE_PER_S}
        opened = measured(msgspec.structs.replace(closed, port=port, arrivals=arrivals))
    fast, own = float(np.median(theirs)), float(np.median(ours))
    return {
        "fasthttpuser_per_s": round(fast),
        "ours_per_s": round(own),
        "ratio": round(own / fast, 2),
        "schedule_error_p99_ms": round(float(np.quantile(opened.due["late_ns"], 0.99)) / 1e6, 3),
    }
