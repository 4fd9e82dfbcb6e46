"""What no queueing can exceed: the asymptotic bounds of a closed system, from its service demands.

X <= min( N / (sum D + Z), min over k of c_k / D_k ); N* is where the two meet: with fewer users the load is the limit,
with more a component is (Denning and Buzen 1978; Lazowska et al., "Quantitative System Performance", 1984, chapter 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demand:
    """Busy seconds of one component for each completed order, and how many cores it can keep busy at once."""

    seconds: float
    servers: float

    @property
    def ceiling_per_s(self) -> float:
        return self.servers / self.seconds if self.seconds > 0 else float("inf")


@dataclass(frozen=True, slots=True)
class Bounds:
    population_per_s: float
    """N / (sum D + Z): nobody waits anywhere. Infinite for an open loop, which has no population."""
    ceiling_per_s: float
    """min c_k / D_k: the first component is busy all the time."""
    component: str
    n_star: float

    @property
    def throughput_per_s(self) -> float:
        return min(self.population_per_s, self.ceiling_per_s)


def of(demands: Mapping[str, Demand], users: float, think_s: float) -> Bounds:
    """Bounds for `users` clients (0: an open loop) that think `think_s` for each order; `demands` must not be empty."""
    cycle_s = sum(demand.seconds for demand in demands.values()) + think_s
    component = min(demands, key=lambda name: demands[name].ceiling_per_s)
    ceiling = demands[component].ceiling_per_s
    return Bounds(
        population_per_s=users / cycle_s if users and cycle_s > 0 else float("inf"),
        ceiling_per_s=ceiling,
        component=component,
        n_star=cycle_s * ceiling,
    )
