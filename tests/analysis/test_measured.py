"""Rates and latencies of a run are those that were planted in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis import measured, saturation, scaling, validity
from analysis.capacity import BoundBy, capacity_of
from deploy.topology import Topology
from loadgen.record import Run
from tests.analysis.runs import cpu, gateway_bound, topologies
from tests.loadgen.synthetic import MACHINE, write_run


def test_orders_per_second_come_with_an_interval_over_repetitions(tmp_path: Path) -> None:
    run = Run.open(write_run(tmp_path, {1: 50.0, 2: 90.0}, repetitions=3, errors={"http_503": 2}))
    one, two = measured.configurations(run)
    assert (one.orders_per_s.value, two.orders_per_s.value) == (50.0, 90.0)
    assert one.orders_per_s.interval is not None
    assert one.orders_per_s.interval.method == "Student's t over 3 repetitions"
    assert (one.orders, one.errors, one.error_share) == (1500, {"http_503": 6}, pytest.approx(6 / 1503))


def test_the_interval_of_a_percentile_holds_the_percentile(tmp_path: Path) -> None:
    run = Run.open(write_run(tmp_path, {1: 500.0}, latency_ms=20.0))
    configuration = measured.configurations(run)[0]
    interval = measured.percentile_interval(run, configuration, 99.0)
    p99 = measured.latency(run, configuration).get_value_at_percentile(99) / 1e6
    assert interval is not None
    assert interval.low < p99 < interval.high < 2 * interval.low


def test_the_interval_of_a_percentile_spans_what_the_repetitions_differ_by(tmp_path: Path) -> None:
    quick, slow = (write_run(tmp_path / name, {1: 100.0}, latency_ms=ms) for name, ms in (("q", 10.0), ("s", 40.0)))
    quick_ns, slow_ns = (measured.latencies_by_second(run, run.windows[0]) for run in (Run.open(quick), Run.open(slow)))
    run = Run.open(write_run(tmp_path / "both", {1: 100.0}, repetitions=3))
    by_window = dict(zip([window.name for window in run.windows], (quick_ns, quick_ns, slow_ns), strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measured, "latencies_by_second", lambda _, window: by_window[window.name])
        interval = measured.percentile_interval(run, measured.configurations(run)[0], 50.0)
    assert interval is not None
    assert interval.low < 12 < 35 < interval.high


def test_demand_is_busy_time_over_completed_orders_and_utilisation_busy_time_over_capacity(tmp_path: Path) -> None:
    run = gateway_bound(tmp_path)
    two = saturation.loads(run, measured.configurations(run)[1])
    assert two["gateway"].demand_us.value == pytest.approx(2 * 0.198 / 195 * 1e6)
    assert two["gateway"].utilisation == pytest.approx(0.99)
    assert two["gateway"].capacity.bound_by is BoundBy.QUOTA


@pytest.mark.parametrize(
    ("component", "quotas", "cores", "bound_by"),
    [
        ("gateway", {}, 2.0, BoundBy.THREADS),
        ("gateway", {"gateways.cpu_cores": 0.2}, 0.4, BoundBy.QUOTA),
        ("ledger", {}, 2.0, BoundBy.HOST),
        ("ledger", {"ledger.cpuset": "0"}, 1.0, BoundBy.HOST),
        ("redis", {}, 1.0, BoundBy.THREADS),
    ],
)
def test_capacity_is_the_smallest_of_quota_threads_and_cores(
    tmp_path: Path, component: str, quotas: dict[str, float], cores: float, bound_by: BoundBy
) -> None:
    run = gateway_bound(tmp_path, topologies=topologies(quotas), series=list(cpu({component: 0.1})))
    capacity = saturation.loads(run, measured.configurations(run)[1])[component].capacity
    assert (capacity.cores, capacity.bound_by) == (cores, bound_by)


@pytest.mark.parametrize(
    ("component", "change", "each"),
    [
        ("gateway", {"gateways": 4}, 1.0),
        ("ledger", {"ledger.shards": 3}, 2.0),
        ("ledger", {"ledger.shards": 3, "ledger.cpu_cores": 0.5}, 0.5),
    ],
)
def test_of_a_host_that_bounds_all_instances_one_alone_may_have_the_whole(
    component: str, change: dict[str, float], each: float
) -> None:
    assert capacity_of(Topology().with_overrides(change), MACHINE, component).each == each


def test_the_sweep_gives_ratios_with_intervals_between_neighbours(tmp_path: Path) -> None:
    steps = scaling.steps(gateway_bound(tmp_path))
    assert [round(step.ratio.value, 2) for step in steps] == [1.95, 1.95]
    assert all(s.ratio.interval and s.ratio.interval.low <= s.ratio.value <= s.ratio.interval.high for s in steps)


def test_a_repeated_sweep_is_described_by_the_scalability_law_and_a_short_one_is_not(tmp_path: Path) -> None:
    usl_at = {n: 200 * n / (1 + 0.1 * (n - 1) + 0.01 * n * (n - 1)) for n in (1, 4, 8)}
    repeated = scaling.fitted(Run.open(write_run(tmp_path / "repeated", usl_at, repetitions=2)))
    assert repeated is not None
    assert (repeated.alpha.value, repeated.beta.value) == pytest.approx((0.1, 0.01), rel=0.02)
    assert scaling.fitted(Run.open(write_run(tmp_path / "once", usl_at))) is None


def test_throughput_that_drifts_within_the_window_is_doubted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = gateway_bound(tmp_path, orders_per_s={1: 100})
    steady = [f.doubt for f in validity.validity(run) if "last third" in f.claim]
    monkeypatch.setattr(validity, "orders_by_second", lambda *_: np.linspace(100, 150, 12))
    drifting = [f.doubt for f in validity.validity(run) if "last third" in f.claim]
    assert steady == [""]
    assert "warm up longer" in drifting[0]
    monkeypatch.setitem(run.campaign, "load", {"arrivals": {"kind": "ramp"}})
    assert not [f for f in validity.validity(run) if "last third" in f.claim]


def test_littles_law_is_doubted_where_users_are_missing(tmp_path: Path) -> None:
    whole = gateway_bound(tmp_path / "whole", latency_ms=400.0, orders_per_s={1: 95.7})
    half = gateway_bound(tmp_path / "half", latency_ms=200.0, orders_per_s={1: 95.7})
    doubts = [next(f.doubt for f in validity.validity(run) if "Little" in f.claim) for run in (whole, half)]
    assert doubts[0] == ""
    assert "do not fit together" in doubts[1]
