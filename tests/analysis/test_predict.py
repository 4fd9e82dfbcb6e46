"""A model calibrated on a network with known costs must foretell that network elsewhere, and refuse what it cannot."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from scipy import stats

from analysis import predicted, whatif
from analysis.calibration import Calibration, Commit, Cost, Point, PredictionError, calibrate
from analysis.predict import Model, Target, bounded, commits, fitted, predict
from deploy.topology import Topology
from tests.loadgen.synthetic import MACHINE

LARGE = replace(MACHINE, cores=16)
COSTS = {"haproxy": 50e-6, "gateway": 400e-6, "engine": 60e-6, "ledger": 200e-6, "redis": 20e-6, "generator": 100e-6}
QUOTAS = {"gateways.cpu_cores": 0.2, "ledger.cpu_cores": 0.4, "engine.cpu_cores": 0.3, "haproxy.cpu_cores": 0.3}
DELAY_S = 0.004


def truth(background: float = 0.0) -> Model:
    """What the planted points are drawn from; `background` cores of each gateway, whatever it serves."""
    costs = {name: Cost(cost, 0.0, background if name == "gateway" else 0.0) for name, cost in COSTS.items()}
    return Model(Calibration("planted", LARGE, (), costs, 0.0, None, 0.1, 1.0), DELAY_S, 0.0, None)


def target(gateways: int, users: int = 20, **overrides: object) -> Target:
    return Target(Topology().with_overrides({"gateways": gateways, **QUOTAS, **overrides}), users, 0.01)


def point(of: Target, factor: float = 1.0, background: float = 0.0) -> Point:
    rate = truth(background).outcome(of).orders_per_s * factor
    busy = {name: rate * cost / factor for name, cost in COSTS.items()}
    busy["gateway"] += background * of.topology.gateways.replicas
    share = (0.1 + sum(busy.values())) / LARGE.cores
    return Point(of.topology, of.users, of.think_s, rate, 1.0, busy, 0.1, share)


@cache
def planted() -> Model:
    seen = [point(target(g, u)) for g, u in ((1, 4), (1, 20), (2, 8), (2, 20), (4, 8), (4, 20))]
    return fitted(calibrate("planted", LARGE, seen))


@pytest.mark.parametrize(
    ("gateways", "changes"), [(3, {}), (6, {}), (8, {"ledger.shards": 3}), (2, {"ledger.cpu_cores": 0.2})]
)
def test_configurations_that_were_not_measured_are_foretold(gateways: int, changes: dict[str, object]) -> None:
    wanted = target(gateways, **changes)
    found = predict(planted(), wanted)
    assert found.orders_per_s == pytest.approx(truth().outcome(wanted).orders_per_s, rel=0.03)


def test_work_without_orders_is_told_apart_where_light_loads_were_measured_and_counts_under_another_quota() -> None:
    background = 0.06
    seen = [point(target(g, u), background=background) for g, u in ((1, 1), (1, 20), (2, 2), (2, 20), (4, 2), (4, 20))]
    model = fitted(calibrate("planted", LARGE, seen))
    assert model.calibration.costs["gateway"].background_cores == pytest.approx(background, rel=0.1)
    wanted = target(2, **{"gateways.cpu_cores": 0.12})
    assert predict(model, wanted).orders_per_s == pytest.approx(
        truth(background).outcome(wanted).orders_per_s, rel=0.05
    )


def test_commits_that_meet_wait_for_the_sync_before_theirs_and_connections_bound_how_many_do() -> None:
    commit = Commit(sync_s=0.010, commits_per_order=1.0)
    rates = [commit.speed(n, places=6) / commit.sync_s for n in (1, 2, 4, 6, 40)]
    assert rates == pytest.approx([100, 100, 200, 300, 300])


def test_who_comes_alone_is_served_at_full_speed_and_a_crowd_at_that_of_the_quota() -> None:
    station = bounded("gateway", 0.001, 2, 0.2)
    assert [station.speed(n) for n in (1, 2)] == [1.0, 2.0]
    assert station.speed(200) == pytest.approx(0.4, rel=0.05)


def test_shards_carry_more_as_far_as_the_symbols_of_the_busiest_let_them() -> None:
    """By Zipf's law three of nine symbols get 65 % of the orders."""
    commit = Commit(sync_s=0.020, commits_per_order=1.0)
    model = Model(replace(truth().calibration, commit=commit), 0.0, 0.0, None)
    few = {"gateways.ledger_pool_size": 2, "gateways.cpu_cores": 1.0}
    one, three = (model.outcome(target(2, 40, **few, **{"ledger.shards": n})) for n in (1, 3))
    assert one.binds == "commit 1"
    assert three.orders_per_s / one.orders_per_s == pytest.approx(1 / 0.648, rel=0.03)


def test_the_delay_that_uses_no_processor_is_found_from_the_runs_own_throughputs() -> None:
    assert planted().delay_s == pytest.approx(DELAY_S, rel=0.25)


def test_noise_of_the_measured_throughputs_widens_the_interval_and_the_truth_lies_in_it() -> None:
    noise = (1.03, 0.97, 1.02, 0.98, 1.01, 0.99)
    sizes = ((1, 4), (1, 20), (2, 8), (2, 20), (4, 8), (4, 20))
    seen = [point(target(g, u), factor) for (g, u), factor in zip(sizes, noise, strict=True)]
    found = predict(fitted(calibrate("noisy", LARGE, seen)), target(6))
    sharp = predict(planted(), target(6))
    assert found.interval.low <= truth().outcome(target(6)).orders_per_s <= found.interval.high
    assert found.interval.high - found.interval.low > sharp.interval.high - sharp.interval.low


def test_the_demand_of_all_shards_has_one_error_so_it_weighs_by_all_their_shares() -> None:
    known = planted().calibration
    costs = {name: replace(cost, error=0.05 if name == "ledger" else 0.0) for name, cost in known.costs.items()}
    model = replace(planted(), calibration=replace(known, costs=costs), error=0.0)
    found = predict(model, target(6, **{"ledger.shards": 3, "ledger.cpu_cores": 0.1}))
    shares = [share for name, share in found.outcome.shares.items() if name.startswith("ledger ")]
    assert len(shares) == 3
    half = math.log(found.interval.high / found.interval.low) / 2
    assert half == pytest.approx(stats.t.ppf(0.975, len(known.points) - 1) * sum(shares) * 0.05)
    assert sum(shares) > 1.05 * math.hypot(*shares)


def test_a_poor_fit_is_refused_with_its_error() -> None:
    seen = [point(target(g), factor) for g, factor in ((1, 1.6), (2, 0.6), (4, 1.5))]
    with pytest.raises(PredictionError, match="misses the run's own throughputs by"):
        predict(fitted(calibrate("wild", LARGE, seen)), target(2))


@pytest.mark.parametrize(("wanted", "said"), [(target(9), "9 gateways"), (target(4, users=41), "41 users")])
def test_more_than_twice_the_measured_range_is_refused(wanted: Target, said: str) -> None:
    with pytest.raises(PredictionError, match=said):
        predict(planted(), wanted)


def test_two_configurations_are_too_few() -> None:
    with pytest.raises(PredictionError, match="2 comparable"):
        calibrate("short", LARGE, [point(target(1)), point(target(2))])


def test_a_full_host_bounds_what_quotas_would_allow() -> None:
    known = replace(truth().calibration, machine=replace(LARGE, cores=1))
    found = Model(known, 0.0, 0.0, None).outcome(target(8))
    assert found.binds == "host"
    assert found.orders_per_s * sum(COSTS.values()) < 1.0


def test_commits_follow_the_rate_that_pgbench_measured_with_so_many_at_once() -> None:
    station = commits("commit", {1: 100.0, 8: 400.0, 16: 480.0})
    assert (station.demand_s, station.speed(1), station.speed(8)) == (0.01, 1.0, 4.0)
    assert station.speed(64) == pytest.approx(4.8)
    curve = {1: 100.0, 8: 400.0, 16: 480.0}
    found = Model(truth().calibration, 0.0, 0.0, curve).outcome(target(8, users=60))
    assert found.binds == "commit 1"
    assert found.orders_per_s == pytest.approx(480, rel=0.01)
    sharded = Model(truth().calibration, 0.0, 0.0, curve).outcome(target(8, 60, **{"ledger.shards": 2}))
    assert sharded.orders_per_s / found.orders_per_s == pytest.approx(1 / 0.807, rel=0.05)


def test_the_next_limit_is_named_once_the_first_is_lifted() -> None:
    steps = whatif.next_limits(planted(), target(1))
    assert [steps[0].binds, steps[1].lifted] == ["gateway", "gateways.replicas"]
    assert steps[1].gain == pytest.approx(2.0, rel=0.15)
    assert steps[-1].binds != "gateway" or len(steps) == whatif.STEPS + 1


def test_steps_beyond_the_reach_of_a_prediction_are_marked_and_have_no_interval() -> None:
    """Measured with one gateway alone; two are within the reach, four are not."""
    seen = [point(target(1, users)) for users in (4, 10, 20)]
    rows = whatif.document(fitted(calibrate("small", LARGE, seen)), target(1))["steps"]
    assert [row["status"] for row in rows] == ["predicted"] * 3 + ["model only"] * 2
    assert all((row["low"] is None) == (row["status"] == "model only") for row in rows)


def test_a_model_that_does_not_fit_its_own_run_is_asked_nothing_further() -> None:
    seen = [point(target(g), factor) for g, factor in ((1, 1.6), (2, 0.6), (4, 1.5))]
    with pytest.raises(PredictionError, match="misses the run's own throughputs by"):
        whatif.document(fitted(calibrate("wild", LARGE, seen)), target(2))


def test_stages_of_the_roadmap_beyond_the_reach_are_model_only_and_have_no_interval() -> None:
    rows = {row.name: row for row in whatif.roadmap(planted(), target(2))}
    assert rows["1, one node"].status == "measured"
    assert (rows["5, several regions"].status, rows["5, several regions"].interval) == ("model only", None)


def test_a_prediction_changed_after_it_was_hashed_is_refused(tmp_path: Path) -> None:
    content = {"format": 1, "run": "x", "predictions": []}
    path = predicted.write(tmp_path, {"content": content, "sha256": predicted.digest(content)})
    assert predicted.read(path)["content"] == content
    path.write_text(json.dumps({**json.loads(path.read_text()), "content": {**content, "run": "y"}}))
    with pytest.raises(PredictionError, match="not what was hashed"):
        predicted.read(path)


@pytest.mark.parametrize("text", [None, "", "[900]", "{}", '{"eight": 900}', '{"1": 0}'])
def test_rates_of_commits_that_are_none_are_refused_with_their_file_and_what_to_write(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "commits.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(PredictionError, match=r"commits\.json: no rates of concurrent commits .*; write what"):
        predicted.curve(path)


def test_an_open_loop_is_foretold_by_its_latency_and_refused_where_a_part_cannot_keep_up() -> None:
    easy, hard = (predict(planted(), replace(target(2), rate_per_s=rate)) for rate in (300.0, 850.0))
    assert (easy.orders_per_s, hard.orders_per_s) == (300.0, 850.0)
    assert easy.latency_ms < hard.latency_ms
    with pytest.raises(PredictionError, match="gateway cannot keep up with 1200/s"):
        predict(planted(), replace(target(2), rate_per_s=1_200.0))
