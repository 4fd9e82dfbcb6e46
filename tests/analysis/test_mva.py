"""Networks with published answers, and a simulated one: the solution must meet both."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import simpy
import yaml

from analysis import mva

REFERENCE = yaml.safe_load((Path(__file__).parent / "data" / "scalability.yaml").read_text())["mva"]


def network(case: dict[str, Any]) -> list[mva.Station]:
    counts = case.get("servers", [1] * len(case["demands"]))
    return [
        mva.servers(str(i), demand, count)
        for i, (demand, count) in enumerate(zip(case["demands"], counts, strict=True))
    ]


@pytest.mark.parametrize("case", REFERENCE, ids=lambda case: f"{case['demands']} at {case['population']}")
def test_published_throughputs_are_reproduced_to_their_last_digit(case: dict[str, Any]) -> None:
    solution = mva.solve(network(case), case["population"], case["think"])
    assert round(solution.throughput_per_s, 7) == case["throughput"]


def test_published_elasticities_are_reproduced_and_sum_to_one() -> None:
    case = next(case for case in REFERENCE if "elasticity" in case)
    solution = mva.solve(network(case), case["population"], case["think"])
    assert [round(e, 5) for e in solution.elasticity.values()] == case["elasticity"]
    assert round(solution.think_elasticity, 5) == case["elasticity_think"]


def test_an_elasticity_is_what_a_small_change_of_capacity_does_to_throughput() -> None:
    step = 1e-5
    base = mva.solve([mva.servers("a", 0.02, 4), mva.servers("b", 0.05, 2)], 8, 0.1)
    faster = mva.solve([mva.servers("a", 0.02, 4), mva.servers("b", 0.05 / (1 + step), 2)], 8, 0.1)
    assert (faster.throughput_per_s / base.throughput_per_s - 1) / step == pytest.approx(base.elasticity["b"], rel=1e-3)


def test_a_thousand_users_are_solved_without_losing_digits() -> None:
    solution = mva.solve([mva.servers("a", 0.001, 4), mva.servers("b", 0.0005)], 1000, 0.2)
    assert solution.throughput_per_s == pytest.approx(2000, rel=1e-9)
    assert sum(solution.queue.values()) + solution.throughput_per_s * 0.2 == pytest.approx(1000, rel=1e-9)


def test_a_station_may_serve_faster_the_more_wait_as_a_group_commit_does() -> None:
    grouping = mva.Station("commit", 0.01, lambda n: n / (1 + 0.1 * (n - 1)))
    alone, many = (mva.solve([grouping], n).throughput_per_s for n in (1, 40))
    assert alone == pytest.approx(100)
    assert many == pytest.approx(100 * 40 / 4.9)


def test_a_simulated_network_gives_the_solution_within_its_noise() -> None:
    demands, counts, think_s, population = [0.02, 0.05, 0.03], [4, 2, 1], 0.1, 8
    solution = mva.solve(
        [mva.servers(str(i), d, c) for i, (d, c) in enumerate(zip(demands, counts, strict=True))], population, think_s
    )
    simulated = simulate(demands, counts, think_s, population, until_s=4000.0)
    assert simulated == pytest.approx(solution.throughput_per_s, rel=0.01)


def simulate(demands: list[float], counts: list[int], think_s: float, population: int, until_s: float) -> float:
    """Completions per second of a closed tandem with exponential services and think times."""
    env, draw, done = simpy.Environment(), random.Random(7), 0
    resources = [simpy.Resource(env, count) for count in counts]

    def user() -> Any:
        nonlocal done
        while True:
            yield env.timeout(draw.expovariate(1 / think_s))
            for resource, demand in zip(resources, demands, strict=True):
                with resource.request() as turn:
                    yield turn
                    yield env.timeout(draw.expovariate(1 / demand))
            done += 1

    for _ in range(population):
        env.process(user())
    env.run(until=until_s)
    return done / until_s


def test_a_network_in_which_nothing_takes_time_is_refused() -> None:
    with pytest.raises(ValueError, match="give at least one of them a duration"):
        mva.solve([mva.servers("a", 0.0)], 3)
    with pytest.raises(ValueError, match="at least one user"):
        mva.solve([mva.servers("a", 1.0)], 0)
