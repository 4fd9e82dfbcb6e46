"""Exact solution of closed product-form queueing networks: what N users get from stations of known demand.

Solved by convolution (Buzen, CACM 16(9), 1973) rather than by the recursion of mean value analysis: both are exact, but
the recursion's P(empty) = 1 - sum of the others loses all digits at high load with several servers (Reiser 1981), while
a convolution only adds and multiplies positive terms. Demands in seconds, throughput per second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True, slots=True)
class Station:
    """A place where work queues. `speed(n)`: how many times faster than with one customer it serves n; n >= 1."""

    name: str
    demand_s: float
    speed: Callable[[int], float]


def servers(name: str, demand_s: float, cores: float = 1, each: float = 1.0) -> Station:
    """Servers that come to `cores` together; a customer alone gets `each` of a core, as under a quota below one."""
    return Station(name, demand_s, lambda n: min(n * min(1.0, each), cores))


@dataclass(frozen=True, slots=True)
class Solution:
    population: int
    throughput_per_s: float
    response_s: float
    queue: dict[str, float]
    """Mean number at each station, waiting or in service."""
    elasticity: dict[str, float]
    """d ln X / d ln capacity, by station."""
    think_elasticity: float


def solve(stations: Sequence[Station], population: int, think_s: float = 0.0) -> Solution:
    """Throughput, response time, queues and elasticities for `population` >= 1 users, `think_s` between their requests.

    Since G(N) is homogeneous in each demand, d ln G(N) / d ln D_k is the mean queue Q_k(N); with X(N) = G(N-1) / G(N)
    the elasticity of throughput in the capacity of k is Q_k(N) - Q_k(N-1), and over the network they sum to one.
    """
    if population < 1:
        raise ValueError(f"population is {population}; solve the network for at least one user")
    if think_s + sum(station.demand_s for station in stations) <= 0:
        raise ValueError("all demands and the think time are 0; give at least one of them a duration")
    # In units of the time a request takes at the asymptotic bound, G(n) neither over- nor underflows.
    slowest_s = max((station.demand_s / station.speed(population) for station in stations), default=0.0)
    scale = max(slowest_s, (think_s + sum(station.demand_s for station in stations)) / population)
    terms = [_terms(station, population, scale) for station in stations]
    think = stats.poisson.pmf(np.arange(population + 1), think_s / scale)
    g = _convolve([*terms, think], population)
    throughput = float(g[population - 1] / g[population] / scale)
    now, before = ([_queue(i, terms, think, g, n) for i in range(len(terms))] for n in (population, population - 1))
    elasticity = {station.name: now[i] - before[i] for i, station in enumerate(stations)}
    return Solution(
        population=population,
        throughput_per_s=throughput,
        response_s=population / throughput - think_s,
        queue={station.name: now[i] for i, station in enumerate(stations)},
        elasticity=elasticity,
        think_elasticity=1 - sum(elasticity.values()),
    )


def _terms(station: Station, population: int, scale: float) -> np.ndarray:
    ratios = [station.demand_s / scale / station.speed(n) for n in range(1, population + 1)]
    return np.concatenate(([1.0], np.cumprod(ratios)))


def _convolve(terms: Sequence[np.ndarray], population: int) -> np.ndarray:
    whole = np.zeros(population + 1)
    whole[0] = 1.0
    for term in terms:
        whole = np.convolve(whole, term)[: population + 1]
    return whole


def _queue(index: int, terms: Sequence[np.ndarray], think: np.ndarray, g: np.ndarray, population: int) -> float:
    """Mean number at station `index`: sum of j * F_k(j) * G_without_k(N - j) / G(N)."""
    others = _convolve([*(term for i, term in enumerate(terms) if i != index), think], population)
    numbers = np.arange(population + 1)
    return float(np.sum(numbers * terms[index][: population + 1] * others[::-1]) / g[population])
