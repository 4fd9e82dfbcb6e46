"""Exact solution of open product-form networks: what each station holds when orders arrive at a rate, come what may.

Each station is a birth-death chain of its own (Jackson 1957): arrivals at the rate, completions at speed(n) / demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.mva import Station

QUEUE_MAX = 200_000
NEGLIGIBLE = 1e-12


@dataclass(frozen=True, slots=True)
class OpenSolution:
    rate_per_s: float
    response_s: float
    queue: dict[str, float]
    """Mean number at each station, waiting or in service."""


def solve(stations: Sequence[Station], rate_per_s: float) -> OpenSolution:
    """Raises ValueError where a station cannot keep up with the rate: it has no steady state."""
    queue = {station.name: _mean_number(station, rate_per_s) for station in stations}
    return OpenSolution(rate_per_s, sum(queue.values()) / rate_per_s, queue)


def _mean_number(station: Station, rate_per_s: float) -> float:
    """Sum of n p(n), p(n) = p(n - 1) rate demand / speed(n), until what is left no longer counts."""
    weight = whole = 1.0
    mean = 0.0
    for n in range(1, QUEUE_MAX):
        ratio = rate_per_s * station.demand_s / station.speed(n)
        weight *= ratio
        whole += weight
        mean += n * weight
        if ratio < 1 and n * weight < NEGLIGIBLE * whole:
            return mean / whole
        if whole > 1e250:
            break
    raise ValueError(f"{station.name} cannot keep up with {rate_per_s:g}/s; offer less, or give it more capacity")
