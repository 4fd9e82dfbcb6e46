"""Whether a window says anything about the system: the rules by which a run disqualifies itself. Pure.

A generator short of CPU reports a slow system, and so does a machine that gives its CPU to somebody else. A slow
system is never a reason: it leaves the generator idle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loadgen.assignment import Second
from loadgen.http_client import Failure
from loadgen.latency import Receipts
from loadgen.noise import Noise
from loadgen.receipts import FAILURES, OK
from loadgen.record import Invalidity

GENERATOR_CPU_SHARE_MAX = 0.85
LATENESS_FLOOR_NS = 1_000_000
LATENESS_SHARE_MAX = 0.05
UNSENT_SHARE_MAX = 0.001
CLOCK_STEP_MAX_NS = 5_000_000
STEAL_SHARE_MAX = 0.02
HICCUP_MAX_NS = 20_000_000
FOREIGN_SHARE_MAX = 0.05
USUALLY = 0.9


@dataclass(frozen=True, slots=True)
class MeasuredPart:
    from_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class Conditions:
    """What was seen of generator and machine in the measured part of a window."""

    generator_cpu_cores: float
    generator_allotment_cores: float
    """Its quota; without one a core for each worker on this machine, for a worker has one thread."""
    lateness_p99_ns: int
    """Actual minus intended send time, as far as it is the generator's own fault."""
    latency_p99_ns: int
    steal_share: float
    hiccup_p99_9_ns: int
    hiccup_p99_ns: int = 0
    foreign_share: float | None = None
    """Of the machine's CPU time, used by what is not the lab's; None where that is not known."""
    due: int = 0
    """Requests that were due."""
    due_unsent: int = 0
    """Of these, not sent when the measured part ended, though there was a place for them."""
    without_port: int = 0
    """Of these, not sent because this machine had no port or descriptor left."""
    clock_step_max_ns: int = 0
    workers_lost: int = 0
    busiest_cpu_cores: float = 0.0
    """Of the busiest process, here or on another host; it has one thread."""
    hosts_wake_lag_ns: int = 0
    """By how much a sleeper on another host was woken late, at p99 of a second that is worse than nine in ten."""


def conditions(
    receipts: Receipts, seconds: Sequence[Second], noise: Noise, part: MeasuredPart, generator_allotment_cores: float
) -> Conditions:
    """From what the generator and the noise meter noted of a window."""
    due = receipts[(receipts["intended_ns"] >= part.from_ns) & (receipts["intended_ns"] < part.until_ns)]
    could_ns = due["sent_ns"] - due["late_ns"]
    ok = due[due["outcome"] == OK]
    excused_ns = max(LATENESS_FLOOR_NS, noise.hiccup_max_ns)  # the window may have ended in a pause of the machine
    within = [second for second in seconds if part.from_ns <= second.t_ns < part.until_ns]
    return Conditions(
        generator_cpu_cores=sum(second.cpu_seconds for second in within) / max(len(within), 1),
        generator_allotment_cores=generator_allotment_cores,
        lateness_p99_ns=_p99(due["late_ns"]),
        latency_p99_ns=_p99(ok["answered_ns"] - ok["intended_ns"]),
        steal_share=noise.steal_share,
        hiccup_p99_9_ns=noise.hiccup_p99_9_ns,
        hiccup_p99_ns=noise.hiccup_p99_ns,
        foreign_share=noise.foreign_share,
        due=len(due),
        due_unsent=int(np.sum((could_ns < part.until_ns - excused_ns) & (due["sent_ns"] >= part.until_ns))),
        without_port=int(np.sum(due["outcome"] == FAILURES[Failure.NO_PORT])),
        clock_step_max_ns=noise.clock_step_max_ns,
        workers_lost=max((second.workers_lost for second in seconds if second.t_ns >= part.from_ns), default=0),
        busiest_cpu_cores=sum(second.busiest_cpu_seconds for second in within) / max(len(within), 1),
        hosts_wake_lag_ns=int(np.quantile([second.hosts_wake_lag_p99_ns for second in within] or [0], USUALLY)),
    )


def _p99(values: npt.NDArray[np.int64]) -> int:
    return int(np.quantile(values, 0.99)) if len(values) else 0


def reasons(window: str, seen: Conditions) -> list[Invalidity]:
    """Why the window is invalid; empty where it is valid."""
    return [
        *(Invalidity(window, "generator", sentence) for sentence in _of_the_generator(seen)),
        *(Invalidity(window, "machine", sentence) for sentence in _of_the_machine(seen)),
    ]


def _of_the_generator(seen: Conditions) -> Iterator[str]:
    share = seen.generator_cpu_cores / seen.generator_allotment_cores
    if share > GENERATOR_CPU_SHARE_MAX:
        yield (
            f"the generator used {share:.0%} of its {seen.generator_allotment_cores:g} cores (at most"
            f" {GENERATOR_CPU_SHARE_MAX:.0%}): it may have been the limit; give it more CPU or less to send"
        )
    elif seen.busiest_cpu_cores > GENERATOR_CPU_SHARE_MAX:
        yield (
            f"one of the generator's processes used {seen.busiest_cpu_cores:.0%} of its core (at most"
            f" {GENERATOR_CPU_SHARE_MAX:.0%}): it may have been the limit; share the load among more workers"
        )
    lateness_max_ns = _lateness_max_ns(seen)
    if seen.lateness_p99_ns - seen.hiccup_p99_ns > lateness_max_ns:
        yield (
            f"the generator sent {seen.lateness_p99_ns / 1e6:.1f} ms late at p99 (at most"
            f" {lateness_max_ns / 1e6:.1f} ms): the load was not the one asked for; give it more CPU or less to send"
        )
    if seen.due_unsent > UNSENT_SHARE_MAX * seen.due:
        yield (
            f"{seen.due_unsent:,} of {seen.due:,} requests that were due were not sent though there was a place for"
            f" them (at most {UNSENT_SHARE_MAX:.1%}): give the generator more CPU or less to send"
        )
    if seen.without_port:
        yield (
            f"{seen.without_port:,} requests found no local port or descriptor and were never sent: use fewer"
            " connections, or widen net.ipv4.ip_local_port_range and `ulimit -Hn`"
        )
    if seen.hosts_wake_lag_ns > HICCUP_MAX_NS:
        yield (
            f"a sleeper on another host of the generator was woken {seen.hosts_wake_lag_ns / 1e6:.0f} ms late (at most"
            f" {HICCUP_MAX_NS / 1e6:.0f} ms): that machine was busy with something else; use another, or a quiet hour"
        )
    if seen.workers_lost:
        yield f"{seen.workers_lost} of the generator's workers were lost, and their part of the load; read its log"


def _lateness_max_ns(seen: Conditions) -> float:
    return max(LATENESS_FLOOR_NS, LATENESS_SHARE_MAX * seen.latency_p99_ns)


def _of_the_machine(seen: Conditions) -> Iterator[str]:
    if seen.clock_step_max_ns > CLOCK_STEP_MAX_NS:
        yield (
            f"the wall clock jumped by {seen.clock_step_max_ns / 1e6:.0f} ms (at most {CLOCK_STEP_MAX_NS / 1e6:.0f}"
            " ms): series and requests do not fit together; let the clock settle and run again"
        )
    if seen.steal_share > STEAL_SHARE_MAX:
        yield (
            f"{seen.steal_share:.1%} of the CPU time was stolen by other machines on the host (at most"
            f" {STEAL_SHARE_MAX:.0%}); run again when it is quiet"
        )
    if seen.hiccup_p99_9_ns > HICCUP_MAX_NS:
        yield (
            f"the machine stood still: a sleeper whom no load delays was woken {seen.hiccup_p99_9_ns / 1e6:.0f} ms late"
            f" at p99.9 of the time (at most {HICCUP_MAX_NS / 1e6:.0f} ms); run again when it is quiet"
        )
    if (seen.foreign_share or 0.0) > FOREIGN_SHARE_MAX:
        yield (
            f"others used {seen.foreign_share:.0%} of the machine's CPU (at most {FOREIGN_SHARE_MAX:.0%}); end them, or"
            " run again when it is quiet"
        )
    lateness_max_ns = _lateness_max_ns(seen)
    if seen.lateness_p99_ns > lateness_max_ns >= seen.lateness_p99_ns - seen.hiccup_p99_ns:
        yield (
            f"requests were sent {seen.lateness_p99_ns / 1e6:.1f} ms late at p99 (at most {lateness_max_ns / 1e6:.1f}"
            f" ms), and so woke a sleeper whom no load delays ({seen.hiccup_p99_ns / 1e6:.1f} ms): the load was not the"
            " one asked for; run again when the machine is quiet"
        )
