"""What becomes of admitted orders when four times the capacity is offered, by clients that try again.

A scale model: small quotas make the gateways the limit at some 500 orders a second. Two ways of refusing are tried one
after the other: the throttle (429 beyond 500 a second), and the bounds on work under way (503 when the places and the
queue are full, the throttle lifted). Offered rates climb until the goodput has its peak; then four times the nominal
rate comes for a while, refused orders being tried again; then the base rate, with the retries that are left.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from deploy.cluster import Cluster
from deploy.topology import Topology
from loadgen.bench.retrying import Clients, Phase, Try

Say = Callable[[str], None]

NOMINAL_PER_S = 500
CLIMB = (0.6, 0.8, 1.0, 1.2, 1.5)
"""Of the nominal rate; the first is the base."""
OVERLOAD = 4.0
SETTLE_S = 1.0
"""Left out at the start of a phase: what the one before left, and a throttle's first second, which admits double."""
BUCKET_S = 1.0
CREATED = 201
MODEL: dict[str, Any] = {
    "gateways.in_flight_max": 24,
    "haproxy.queue_max": 32,
    "haproxy.queue_timeout_ms": 50,
}
WAYS: dict[str, dict[str, Any]] = {
    "throttle": {
        "gateways": 2,
        "gateways.cpu_cores": 0.25,
        "limits.total_per_s": NOMINAL_PER_S,
        "limits.per_key_per_s": 100,
    },
    "shed": {"gateways": 1, "gateways.cpu_cores": 0.14, "limits.total_per_s": None, "limits.per_key_per_s": None},
}
"""Under the throttle the gateways have room to spare, without it they are the limit."""


@dataclass(frozen=True, slots=True)
class Size:
    seconds_each: float = 6.0
    overload_s: float = 12.0
    accounts: int = 40
    tries_max: int = 2


@dataclass(frozen=True, slots=True)
class Level:
    """What came of one offered rate: acknowledged orders a second, their latency, and requests by what was said."""

    offered_per_s: float
    requests_per_s: float
    goodput_per_s: float
    p99_ms: float
    answers: dict[str, int]


def measure(size: Size, directory: Path, say: Say) -> dict[str, Any]:
    """Figures by way of refusing."""
    model = Topology().path_alone().with_overrides(MODEL)
    found: dict[str, Any] = {}
    with Cluster.up(model, directory) as cluster:
        for way, changes in WAYS.items():
            cluster.renew(model.with_overrides(changes))
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                phases, tries = runner.run(_endure(cluster, size))
            found[way] = figures(phases, tries)
            say(f"{way}: {json.dumps(found[way])}")
    return found


async def _endure(cluster: Cluster, size: Size) -> tuple[list[Phase], list[Try]]:
    """The climb, the overload and what comes after it."""
    host, _, port = cluster.address("haproxy").rpartition(":")
    keys = list(json.loads(cluster.secrets.api_keys.read_text()).values())[: size.accounts]
    async with Clients(host, int(port), keys, cluster.topology.symbols) as clients:
        phases = [await clients.offer(share * NOMINAL_PER_S, size.seconds_each, 1) for share in CLIMB]
        phases.append(await clients.offer(OVERLOAD * NOMINAL_PER_S, size.overload_s, size.tries_max))
        phases.append(await clients.offer(CLIMB[0] * NOMINAL_PER_S, size.seconds_each, 1))
        await clients.settled()
        return phases, clients.tries


def figures(phases: Sequence[Phase], tries: Sequence[Try]) -> dict[str, Any]:
    """From every try of the climb, the overload and the time after it. Pure."""
    *climb, overload, after = (level(phase, tries) for phase in phases)
    peak = max(climb, key=lambda found: found.goodput_per_s)
    return {
        "peak_per_s": round(peak.goodput_per_s),
        "peak_p99_ms": round(peak.p99_ms, 1),
        "base_p99_ms": round(climb[0].p99_ms, 1),
        "overload_requests_per_s": round(overload.requests_per_s),
        "overload_goodput_per_s": round(overload.goodput_per_s),
        "overload_p99_ms": round(overload.p99_ms, 1),
        "goodput_of_peak": round(overload.goodput_per_s / peak.goodput_per_s, 3) if peak.goodput_per_s else None,
        "p99_of_peak": round(overload.p99_ms / peak.p99_ms, 2) if peak.p99_ms else None,
        "recovery_s": recovery_s(phases[-1], tries, 2 * climb[0].p99_ms),
        "after_p99_ms": round(after.p99_ms, 1),
        "answers": overload.answers,
        "client_late_p99_ms": round(1e3 * quantile([one.sent_s - one.due_s for one in tries], 0.99), 1),
    }


def level(phase: Phase, tries: Sequence[Try]) -> Level:
    """Of the tries that were answered in the phase, its start left out."""
    began = min(phase.began_s + SETTLE_S, (phase.began_s + phase.ended_s) / 2)
    within = [one for one in tries if began <= one.answered_s < phase.ended_s]
    seconds = phase.ended_s - began
    good = [one for one in within if one.status == CREATED]
    said = Counter(str(one.status) for one in within)
    return Level(phase.rate_per_s, len(within) / seconds, len(good) / seconds, p99_ms(good), dict(said))


def recovery_s(after: Phase, tries: Sequence[Try], bound_ms: float) -> float:
    """From the overload's end to the end of the last second whose p99 was above the bound; 0: there was none."""
    count = int((after.ended_s - after.began_s) / BUCKET_S)
    buckets: list[list[Try]] = [[] for _ in range(count)]
    for one in tries:
        bucket = int((one.answered_s - after.began_s) // BUCKET_S)
        if one.status == CREATED and 0 <= bucket < count:
            buckets[bucket].append(one)
    bad = [number for number, bucket in enumerate(buckets, 1) if p99_ms(bucket) > bound_ms]
    return bad[-1] * BUCKET_S if bad else 0.0


def p99_ms(tries: Sequence[Try]) -> float:
    """From the actual send: under these thousands of requests the clients themselves are late, which is told apart."""
    return 1e3 * quantile([one.answered_s - one.sent_s for one in tries], 0.99)


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else 0.0
