"""Whether a window says anything about the system: the rules by which a run disqualifies itself. Pure.

A generator short of CPU reports a slow system, and so does a machine that gives its CPU to somebody else. A slow
system is never a reason: it leaves the generator idle.
"""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.record import Invalidity

GENERATOR_CPU_SHARE_MAX = 0.85
LATENESS_FLOOR_NS = 1_000_000
LATENESS_SHARE_MAX = 0.05
STEAL_SHARE_MAX = 0.02
HICCUP_MAX_NS = 20_000_000


@dataclass(frozen=True, slots=True)
class Conditions:
    """What was seen of generator and machine in the measured part of a window."""

    generator_cpu_cores: float
    generator_allotment_cores: float
    """Its quota; without one a single core, for it has one thread."""
    lateness_p99_ns: int
    """Actual minus intended send time, as far as it is the generator's own fault."""
    latency_p99_ns: int
    steal_share: float
    hiccup_p99_9_ns: int


def reasons(window: str, seen: Conditions) -> list[Invalidity]:
    """Why the window is invalid; empty where it is valid."""
    found: list[Invalidity] = []

    def invalid(blames: str, sentence: str) -> None:
        found.append(Invalidity(window, blames, sentence))

    share = seen.generator_cpu_cores / seen.generator_allotment_cores
    if share > GENERATOR_CPU_SHARE_MAX:
        invalid(
            "generator",
            f"the generator used {share:.0%} of its {seen.generator_allotment_cores:g} cores (at most"
            f" {GENERATOR_CPU_SHARE_MAX:.0%}): it may have been the limit; give it more CPU or less to send",
        )
    lateness_max_ns = max(LATENESS_FLOOR_NS, LATENESS_SHARE_MAX * seen.latency_p99_ns)
    if seen.lateness_p99_ns > lateness_max_ns:
        invalid(
            "generator",
            f"the generator sent {seen.lateness_p99_ns / 1e6:.1f} ms late at p99 (at most"
            f" {lateness_max_ns / 1e6:.1f} ms): the load was not the one asked for; give it more CPU or less to send",
        )
    if seen.steal_share > STEAL_SHARE_MAX:
        invalid(
            "machine",
            f"{seen.steal_share:.1%} of the CPU time was stolen by other machines on the host (at most"
            f" {STEAL_SHARE_MAX:.0%}); run again when it is quiet",
        )
    if seen.hiccup_p99_9_ns > HICCUP_MAX_NS:
        invalid(
            "machine",
            f"a sleeping thread was woken {seen.hiccup_p99_9_ns / 1e6:.0f} ms late at p99.9 (at most"
            f" {HICCUP_MAX_NS / 1e6:.0f} ms); something else used the machine, run again when it is quiet",
        )
    return found
