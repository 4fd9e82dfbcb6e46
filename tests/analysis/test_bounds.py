"""The asymptotic bounds of a closed system, worked out by hand."""

from __future__ import annotations

import math

from analysis import bounds, mva
from analysis.bounds import Demand

DEMANDS = {"gateway": Demand(0.002, 1), "ledger": Demand(0.003, 2)}


def test_few_users_are_bounded_by_their_own_cycle() -> None:
    few = bounds.of(DEMANDS, users=1, think_s=0.005)
    assert few.throughput_per_s == few.population_per_s == 100.0


def test_many_users_are_bounded_by_the_component_with_the_least_capacity_per_demand() -> None:
    many = bounds.of(DEMANDS, users=100, think_s=0.005)
    assert (many.component, many.throughput_per_s, many.n_star) == ("gateway", 500.0, 5.0)


def test_an_open_loop_has_no_bound_from_its_population() -> None:
    assert bounds.of(DEMANDS, users=0, think_s=0.0).population_per_s == math.inf


def test_no_exact_solution_exceeds_the_bounds() -> None:
    stations = [mva.servers(name, demand.seconds, demand.servers) for name, demand in DEMANDS.items()]
    for users in (1, 3, 5, 8, 40):
        assert mva.solve(stations, users, 0.005).throughput_per_s <= bounds.of(DEMANDS, users, 0.005).throughput_per_s
