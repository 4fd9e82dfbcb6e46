"""A leak and a drift are found by their slope; what only swings is left alone, and short windows say nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.drift import drift
from analysis.finding import Bearing
from loadgen.record import Run
from tests.loadgen import synthetic
from tests.loadgen.synthetic import Series, write_run

MB = 1e6
NOISE = np.random.default_rng(7).normal(0, 2 * MB, 200)


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *series: Series, measured_s: int = 120) -> Run:
    monkeypatch.setattr(synthetic, "MEASURED_S", measured_s)
    return Run.open(write_run(folder, {1: 5}, series=series))


def memory(value: Callable[[float], float], component: str = "gateway") -> Series:
    return Series("cluster_memory_bytes", component, lambda _, s: value(s) + NOISE[int(s)], f"{component}-1")


def suspected(found: Run) -> list[str]:
    return [finding.evidence[0].name for finding in drift(found) if finding.status is Bearing.SUSPECTED]


def test_a_leak_is_found_in_the_part_that_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leak, steady = memory(lambda s: (80 + 0.2 * s) * MB), memory(lambda _: 60 * MB, "engine")
    found = run(tmp_path, monkeypatch, leak, steady)
    assert suspected(found) == ["growth of the memory of gateway-1"]
    (finding,) = [each for each in drift(found) if each.status is Bearing.SUSPECTED]
    assert finding.evidence[0].value == pytest.approx(24, rel=0.2)
    assert finding.evidence[0].interval is not None
    assert finding.evidence[0].interval.low > 15


def test_a_swing_a_step_back_and_a_slow_crawl_are_no_leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swing = memory(lambda s: (80 + 8 * np.sin(s / 60 * 2 * np.pi)) * MB)
    crawl = memory(lambda s: (80 + 0.01 * s) * MB, "engine")
    falling = memory(lambda s: (80 - 0.2 * s) * MB, "redis")
    assert suspected(run(tmp_path, monkeypatch, swing, crawl, falling)) == []


def test_cpu_that_grows_under_a_load_that_does_not_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 0.1 to 0.22 cores; and 0.3 all along."""
    grows = Series("cluster_cpu_seconds_total", "prometheus", lambda _, s: 0.1 * s + 0.0005 * s * s, "prometheus")
    even = Series("cluster_cpu_seconds_total", "gateway", lambda _, s: 0.3 * s, "gateway-1")
    assert suspected(run(tmp_path, monkeypatch, grows, even)) == ["growth of the CPU of prometheus"]


def test_a_queue_that_grows_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    growing = Series("gateway_ledger_waiters", "gateway", lambda _, s: 0.5 * s, "gateway-1")
    flat = Series("engine_queue_depth_commands", "engine", lambda _, s: s % 7, "engine")
    assert suspected(run(tmp_path, monkeypatch, growing, flat)) == ["growth of the queue for a ledger connection"]


def test_a_queue_is_that_of_all_instances_though_each_is_scraped_at_a_moment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three each: too little alone, nine together are found."""
    queues = [
        Series("gateway_orders_in_flight", "gateway", lambda _, s: 2 + 3 * s / 120, f"gateway-{n}", offset_s=0.3 * n)
        for n in range(3)
    ]
    assert suspected(run(tmp_path, monkeypatch, *queues)) == ["growth of the number of orders in the gateways"]


def test_a_short_window_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert drift(run(tmp_path, monkeypatch, memory(lambda s: (80 + 5 * s) * MB), measured_s=30)) == []


def test_under_a_load_that_grows_itself_nothing_is_called_a_drift(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run(tmp_path, monkeypatch, memory(lambda s: (80 + 0.2 * s) * MB))
    monkeypatch.setitem(found.campaign, "load", {"arrivals": {"kind": "ramp"}})
    assert drift(found) == []


def test_latency_that_did_not_drift_is_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = drift(run(tmp_path, monkeypatch))
    assert (finding.status, finding.component) == (Bearing.CLEARED, "order path")
