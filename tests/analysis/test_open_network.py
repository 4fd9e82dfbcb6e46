"""Open networks: textbook queues to their last digit, and a simulation of one that serves faster the more wait."""

from __future__ import annotations

import random
from typing import Any

import pytest
import simpy

from analysis import mva, open_network
from analysis.predict import commits


def test_one_server_holds_rho_over_one_minus_rho() -> None:
    found = open_network.solve([mva.servers("a", 0.01)], 80)
    assert found.queue["a"] == pytest.approx(4.0, rel=1e-9)
    assert found.response_s == pytest.approx(0.05, rel=1e-9)


def test_two_servers_meet_erlangs_formula() -> None:
    """M/M/2 at rho = 0.75: the mean number is 2 rho / (1 - rho^2)."""
    found = open_network.solve([mva.servers("a", 0.015, 2)], 100)
    assert found.queue["a"] == pytest.approx(1.5 / (1 - 0.75**2), rel=1e-9)


def test_a_rate_beyond_a_station_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match="ledger cannot keep up with 101/s"):
        open_network.solve([mva.servers("gateway", 0.001), mva.servers("ledger", 0.01)], 101)


def test_a_simulated_station_that_commits_in_groups_holds_as_many_as_the_solution_says() -> None:
    curve = {1: 100.0, 4: 250.0, 8: 300.0}
    solution = open_network.solve([commits("commit", curve)], 200)
    assert simulated(commits("commit", curve), 200, until_s=2_000) == pytest.approx(solution.queue["commit"], rel=0.05)


def simulated(station: mva.Station, rate_per_s: float, until_s: float) -> float:
    """Time average of the number at a station with Poisson arrivals, whose rate follows how many are there."""
    env, draw = simpy.Environment(), random.Random(3)
    area = 0.0

    def chain() -> Any:
        nonlocal area
        present = 0
        while True:
            done_per_s = station.speed(present) / station.demand_s if present else 0.0
            stay_s = draw.expovariate(rate_per_s + done_per_s)
            area += present * stay_s
            yield env.timeout(stay_s)
            present += 1 if draw.random() < rate_per_s / (rate_per_s + done_per_s) else -1

    env.process(chain())
    env.run(until=until_s)
    return area / until_s
