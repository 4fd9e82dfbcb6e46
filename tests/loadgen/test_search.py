"""The capacity search finds a known knee within five per cent in ten probes at most, and every probe stands alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import simpy
from scipy import optimize

from loadgen.campaign import RATE, Campaign, CampaignError
from loadgen.knee import Knee, Trial, knee
from loadgen.search import Served, Step, course

CAMPAIGN = """\
name: capacity
title: How much at p99 below 100 ms?
topology: unbounded
load:
  arrivals: {kind: poisson, rate_per_s: 100}
  warm_up_s: 1
  duration_s: 5
search: {p99_ms: 100, error_share: 0.01, from_per_s: 50, to_per_s: 1000}
"""
SLO_S = 0.1
SEARCHES = 40
Serve = Callable[[float, int], Served]


def campaign(tmp_path: Path, text: str = CAMPAIGN) -> Campaign:
    path = tmp_path / "capacity.yaml"
    path.write_text(text)
    return Campaign.read(path)


def searched(campaign: Campaign, serve: Serve) -> tuple[list[Step], list[Trial]]:
    assert campaign.search is not None
    windows, steps, trials = course(campaign), [], []
    step: Step | None = next(windows)
    while step:
        steps.append(step)
        served = serve(step.planned.parameters[RATE], len(steps))
        trials.append(Trial(step.planned.parameters[RATE], served.strain(campaign.search)))
        try:
            step = windows.send(served)
        except StopIteration:
            step = None
    return steps, trials


def of_queue(servers: int, service_s: float, requests: int = 40_000) -> Serve:
    """An M/M/c queue by its recursion: each request takes the server that is free first."""

    def serve(rate: float, seed: int) -> Served:
        draw = np.random.default_rng([seed, int(rate)])
        due = np.cumsum(draw.exponential(1 / rate, requests))
        free, taken = np.zeros(servers), np.empty(requests)
        for at, (arrival, service) in enumerate(zip(due, draw.exponential(service_s, requests), strict=True)):
            first = int(np.argmin(free))
            free[first] = max(free[first], arrival) + service
            taken[at] = free[first] - arrival
        return Served(float(np.quantile(taken, 0.99)) * 1e3, 0.0)

    return serve


def single_server_knee(service_s: float) -> float:
    """Response times of M/M/1 are exponential with rate mu - lambda, so p99 is ln(100) / (mu - lambda)."""
    return 1 / service_s - np.log(100) / SLO_S


def many_server_knee(servers: int, service_s: float) -> float:
    """Where p99 of M/M/c is the SLO: P(T > t) from Erlang's C and the two exponentials it mixes."""
    mu = 1 / service_s

    def tail(rate: float) -> float:
        load = rate / mu
        terms = np.cumprod([1.0, *(load / k for k in range(1, servers))])
        last = terms[-1] * load / servers / (1 - load / servers)
        waits = last / (terms.sum() + last)
        spare = servers * mu - rate
        mixed = waits * mu / (mu - spare) * (np.exp(-spare * SLO_S) - np.exp(-mu * SLO_S))
        return float(np.exp(-mu * SLO_S) + mixed - 0.01)

    return float(optimize.brentq(tail, 1, servers * mu * 0.9999))


@pytest.mark.parametrize(
    ("servers", "service_s", "truth"),
    [
        (1, 0.002, single_server_knee(0.002)),
        (4, 0.008, many_server_knee(4, 0.008)),
        (1, 0.005, single_server_knee(0.005)),
    ],
)
def test_a_known_knee_is_found_within_five_per_cent_in_ten_probes(
    tmp_path: Path, servers: int, service_s: float, truth: float
) -> None:
    found = campaign(tmp_path)
    assert found.search is not None
    steps, trials = searched(found, of_queue(servers, service_s))
    result = knee(found.search.from_per_s, found.search.to_per_s, trials)
    assert len(steps) <= 10
    assert result.rate_per_s == pytest.approx(truth, rel=0.05)
    assert result.is_bracketed
    assert result.width <= 0.10


def test_a_server_with_a_bounded_pool_has_its_knee_where_errors_begin(tmp_path: Path) -> None:
    """Eight places of 20 ms each carry 400/s; who finds none is turned away (simulated by simpy)."""

    def serve(rate: float, seed: int) -> Served:
        draw = np.random.default_rng([seed, int(rate)])
        env, turned_away, came = simpy.Environment(), 0, 2_000
        places = simpy.Resource(env, 8)

        def request() -> object:
            with places.request() as place:
                yield place
                yield env.timeout(0.02)

        def arrivals() -> object:
            nonlocal turned_away
            for _ in range(came):
                yield env.timeout(float(draw.exponential(1 / rate)))
                if len(places.queue) >= 16:
                    turned_away += 1
                else:
                    env.process(request())

        env.process(arrivals())
        env.run()
        return Served(50.0, turned_away / came)

    found = campaign(tmp_path)
    assert found.search is not None
    _, trials = searched(found, serve)
    rates = np.linspace(300, 450, 16)
    shares = [np.mean([serve(rate, 1000 + seed).error_share for seed in range(3)]) for rate in rates]
    truth = float(np.interp(0.01, shares, rates))
    assert knee(found.search.from_per_s, found.search.to_per_s, trials).rate_per_s == pytest.approx(truth, rel=0.05)


def of_formula(knee_per_s: float) -> Callable[[float], float]:
    """p99 over the SLO of an M/M/1 queue with that knee, up to a queue of ten times the SLO."""
    mu = knee_per_s + np.log(100) / SLO_S
    return lambda rate: float(min(np.log(100) / SLO_S / max(mu - rate, 1e-9), 10))


def of_quota(knee_per_s: float) -> Callable[[float], float]:
    """p99 over the SLO as a gateway at its quota had it: steep at the knee, flat on both sides."""
    return lambda rate: float(np.exp(0.6 * np.tanh(12 * np.log(rate / knee_per_s)) + np.log(rate / knee_per_s)))


@pytest.mark.parametrize("spread", [0.01, 0.03, 0.08, 0.15])
@pytest.mark.parametrize("of", [of_formula, of_quota])
def test_nine_of_ten_intervals_hold_the_knee_however_much_windows_differ(
    of: Callable[[float], Callable[[float], float]], spread: float
) -> None:
    """Every window has a knee of its own, `spread` around that of the server, and a p99 that is off by some 20 %."""
    found: list[Knee] = []
    truths: list[float] = []
    for seed in range(SEARCHES):
        draw = np.random.default_rng(seed)
        truths.append(float(draw.uniform(200, 600)))
        p99, trials = of(truths[-1]), list[Trial]()
        for _ in range(10):
            rate = knee(60, 1200, trials).rate_per_s
            trials.append(Trial(rate, p99(rate / np.exp(spread * draw.normal())) * np.exp(0.2 * draw.normal())))
        found.append(knee(60, 1200, trials))
    covered = [each.low <= truth <= each.high for each, truth in zip(found, truths, strict=True)]
    assert sum(covered) >= 0.9 * SEARCHES
    assert np.median([each.rate_per_s for each in found] / np.array(truths)) == pytest.approx(1, abs=0.05)
    assert 1.2 * spread < np.median([each.width for each in found]) < 0.08 + 2.5 * spread


def test_a_knee_that_was_not_seen_from_both_sides_is_not_bracketed() -> None:
    assert not knee(50, 1000, [Trial(200, 0.5), Trial(500, 0.9)]).is_bracketed


def test_each_probe_is_a_window_of_its_own_at_its_own_rate(tmp_path: Path) -> None:
    steps, _ = searched(campaign(tmp_path), of_queue(1, 0.002, requests=2_000))
    assert [step.planned.position for step in steps] == list(range(len(steps)))
    assert len({step.planned.name for step in steps}) == len(steps)
    for step in steps:
        assert step.planned.load.rate_per_s(1) == pytest.approx(step.planned.parameters[RATE])
    assert steps[0].rest_s > steps[-1].rest_s


def test_a_sweep_of_a_search_probes_each_configuration_in_turn(tmp_path: Path) -> None:
    swept = campaign(tmp_path, CAMPAIGN + "sweep: {gateways: [1, 2]}\norder: listed\n")
    steps, _ = searched(swept, lambda rate, _: Served(50 if rate < 400 else 500, 0))
    assert [step.planned.parameters["gateways"] for step in steps] == [1, 2] * 10
    assert {step.planned.topology.gateways.replicas for step in steps} == {1, 2}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("arrivals: {kind: poisson, rate_per_s: 100}", "users: 4", "search: needs a rate to vary"),
        ("from_per_s: 50", "from_per_s: 2000", "search: goes from 2000 to 1000; let to_per_s be the larger"),
        ("error_share: 0.01", "error_share: 0", "search.error_share: is 0"),
        ("to_per_s: 1000", "to_per_s: 1000, probes_max: 50", "search.probes_max: is 50; use 10 or less"),
        (
            "load:\n",
            "sweep: {load.arrivals.rate_per_s: [1, 2]}\nload:\n",
            "sweep.load.arrivals.rate_per_s: is what the search varies",
        ),
    ],
)
def test_a_search_that_cannot_be_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(CampaignError, match=said):
        campaign(tmp_path, CAMPAIGN.replace(old, new))
