"""Does the generator disqualify itself when it is starved, and only then? Short loads of servers of known behaviour.

Starved: held to a fraction of the CPU that its load takes. Slow systems: a server that sleeps, one behind a lock, one
behind a pool of two connections; the last two are offered more than they can do: requests queue, all places are taken.
A load that the machine disturbed (stolen CPU, hiccups) says nothing either way, and is repeated, as in a campaign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from deploy.local.cpu_groups import Limit, NoGroups, discover
from loadgen.bench import BenchError
from loadgen.bench.client import BASE, measured, stand_in
from loadgen.record import Invalidity

Say = Callable[[str], None]

ALLOTMENT_CORES = 0.5
STARVED_CORES = 0.1
STARVED_PER_S, RATE_PER_S, OVERLOAD_PER_S = 2_000.0, 300.0, 120.0
SLOW = {"sleeping": RATE_PER_S, "locked": OVERLOAD_PER_S, "pool": OVERLOAD_PER_S}
"""Behaviour of the stand-in → requests offered a second."""
IN_FLIGHT_MAX = 60
ATTEMPTS_MAX = 4


@dataclass(frozen=True, slots=True)
class Size:
    runs: int = 20
    """Of each: starved, healthy, slow."""
    seconds_each: int = 3


def measure(size: Size, say: Say) -> dict[str, int]:
    """How many of each were invalid by the generator's fault; `disturbed` are loads that the machine spoilt, and
    `not_judged` those of which every attempt was."""
    counted = ("starved_invalid", "healthy_invalid", "slow_invalid", "disturbed", "not_judged")
    found = {"runs_each": size.runs, **dict.fromkeys(counted, 0)}
    slow = list(SLOW.items())
    for run in range(size.runs):
        behaviour, rate_per_s = slow[run % len(slow)]
        with starving() as starve:
            plan = [("starved", "prompt", STARVED_PER_S, starve), ("healthy", "prompt", RATE_PER_S, _nothing)]
            plan.append(("slow", behaviour, rate_per_s, _nothing))
            for kind, answers, rate, on_start in plan:
                reasons, disturbed = _judged(answers, rate, size.seconds_each, on_start)
                found[f"{kind}_invalid"] += bool(reasons)
                found["disturbed"] += disturbed
                found["not_judged"] += disturbed == ATTEMPTS_MAX
                told = "; ".join(reason.sentence for reason in reasons) or "valid"
                say(f"{run + 1} of {size.runs}, {kind} ({answers}): {told}")
    return found


def _judged(
    behaviour: str, rate_per_s: float, seconds: int, on_start: Callable[[int], None]
) -> tuple[list[Invalidity], int]:
    """What the generator blames itself for, and how many attempts the machine spoilt before."""
    load = msgspec.structs.replace(
        BASE, arrivals={"kind": "poisson", "rate_per_s": rate_per_s}, in_flight_max=IN_FLIGHT_MAX, warm_up_s=1.0,
        duration_s=float(seconds),
    )  # fmt: skip
    is_starved = on_start is not _nothing
    for attempt in range(ATTEMPTS_MAX):
        with stand_in(behaviour) as port:
            seen = measured(msgspec.structs.replace(load, port=port), on_start)
        reasons = seen.invalidities(STARVED_CORES if is_starved else ALLOTMENT_CORES)
        if all(reason.blames == "generator" for reason in reasons):
            return reasons, attempt
    return [reason for reason in reasons if is_starved and reason.blames == "generator"], ATTEMPTS_MAX  # else unjudged


@contextmanager
def starving() -> Iterator[Callable[[int], None]]:
    """Gives what puts a process under a quota that is far too small."""
    groups = discover("lab-bench-validity")
    if isinstance(groups, NoGroups):
        raise BenchError(f"a generator cannot be starved on this machine: quotas are {groups.word}")
    groups.make("starved", Limit(cores=STARVED_CORES, is_real_time=True))

    def starve(pid: int) -> None:
        for entrance in groups.entrances("starved"):
            entrance.write_text(str(pid))

    try:
        yield starve
    finally:
        groups.remove()


def _nothing(_: int) -> None:
    pass
