"""What a capacity search comes to: where the SLO still held, and which configuration's limit is told of."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.bottleneck import verdict
from analysis.slo import RATE, Capacity, Probe, capacities, demand, doubt_of
from deploy.topology import Topology
from loadgen.knee import Trial, knee
from loadgen.record import Run
from tests.loadgen.synthetic import Series, write_run

SEARCH = {"p99_ms": 100, "error_share": 0.01, "from_per_s": 50, "to_per_s": 1_000}


def capacity(kept: dict[float, bool]) -> Capacity:
    probes = tuple(Probe(f"gateways=2/{n}", rate, 10.0, 0.0, held) for n, (rate, held) in enumerate(kept.items()))
    trials = [Trial(rate, 0.8 if held else 1.25) for rate, held in kept.items()]
    return Capacity({"gateways": 2}, probes, knee(50, 1_000, trials))


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (
            {200.0: True, 250.0: False, 215.0: True, 232.0: False},
            r"up to 2\d\d requests/s with gateways=2 \(2\d\d to 2",
        ),
        ({200.0: True, 900.0: True}, r"at least up to 900 requests/s with gateways=2$"),
        ({200.0: False, 100.0: False}, r"not even at 100 requests/s with gateways=2$"),
    ],
)
def test_a_capacity_says_how_far_the_slo_held_and_does_not_guess_beyond_its_probes(
    kept: dict[float, bool], said: str
) -> None:
    found = capacity(kept)
    assert re.match(said, str(found))
    assert [probe.rate_per_s for probe in found.missed] == sorted(rate for rate, held in kept.items() if not held)


@pytest.mark.parametrize(
    ("kept", "doubt"),
    [
        ({200.0: True, 250.0: False, 215.0: True}, ""),
        ({200.0: True, 210.0: False, 215.0: True}, "gateways=2 missed the SLO at 210 requests/s and kept it at 215"),
        ({200.0: True, 215.0: True}, "Every probe of gateways=2 came out alike"),
    ],
)
def test_windows_that_contradict_each_other_are_said_to(kept: dict[float, bool], doubt: str) -> None:
    assert doubt_of(capacity(kept)).startswith(doubt)
    assert bool(doubt) == bool(doubt_of(capacity(kept)))


def test_what_kept_the_slo_at_no_load_carries_none() -> None:
    never, held = capacity({100.0: False, 200.0: False}), capacity({200.0: True, 250.0: False})
    assert demand([never]) == []
    assert [resources for _, resources in demand([never, held])] == [{"gateways": 2}]


def searched(runs: Path, latency_ms: float, **more: Any) -> Run:
    given = {"swept": RATE, "latency_ms": latency_ms, "planned_per_s": 150.0, **more}
    run = Run.open(write_run(runs, {100: 90, 200: 180}, **given))
    run.__dict__["campaign"] = {**run.campaign, "search": SEARCH}
    return run


def test_the_verdict_of_a_search_begins_with_what_was_searched_for(tmp_path: Path) -> None:
    run = searched(tmp_path, latency_ms=300.0)
    assert [capacity.label for capacity in capacities(run)] == ["the topology"]
    assert verdict(run).sentence.startswith(
        "p99 stays below 100 ms not even at 100 requests/s with the topology; beyond"
    )
    assert verdict(run).limits[0].configuration.name.endswith("=100")


def test_capacities_go_from_the_least_resources_up_whichever_was_searched_first(tmp_path: Path) -> None:
    run = searched(tmp_path, latency_ms=5.0)
    first, second = run.windows
    two, one = {"gateways": 2, RATE: 200.0}, {"gateways": 1, RATE: 100.0}
    run.__dict__["windows"] = (replace(second, parameters=two), replace(first, parameters=one))
    assert [capacity.resources for capacity in capacities(run)] == [{"gateways": 1}, {"gateways": 2}]
    assert [resources for _, resources in demand(capacities(run))] == [{"gateways": 1}, {"gateways": 2}]


def test_a_probe_that_is_answered_too_late_has_met_a_limit_though_all_that_was_offered_was_carried(
    tmp_path: Path,
) -> None:
    quotas = Topology().with_overrides({"gateways.cpu_cores": 0.2}).model_dump(mode="json")
    full = Series("cluster_cpu_seconds_total", "gateway", lambda _, s: 100 + 0.198 * s, "gateway-1")
    run = searched(tmp_path, 300.0, series=[full], topologies={f"{RATE}={rate}": quotas for rate in (100, 200)})
    assert [limit.name for limit in verdict(run).limits] == ["CPU of the gateways"] * 2
    assert verdict(run).sentence.endswith("; beyond that it is the CPU of the gateways.")


def test_a_search_whose_every_probe_held_says_so(tmp_path: Path) -> None:
    assert "at least up to 200 requests" in verdict(searched(tmp_path, latency_ms=5.0)).sentence
