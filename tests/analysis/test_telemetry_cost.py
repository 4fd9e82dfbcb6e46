"""What telemetry costs, from runs in which its cost is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.telemetry_cost import telemetry_cost
from loadgen.record import Run, RunError
from tests.analysis.runs import gateway_bound
from tests.loadgen.synthetic import Series, write_run

RATES = {"all": 95.0, "metrics": 98.0, "traces": 99.0, "logs": 97.0, "none": 100.0}
SPENT = {"gateway": 0.6, "ledger": 0.2, "prometheus": 0.1, "loki": 0.1, "generator": 0.5}


def compared(folder: Path, repetitions: int = 3) -> Run:
    series = [
        Series("cluster_cpu_seconds_total", component, lambda _, second, cores=cores: cores * second, component)
        for component, cores in SPENT.items()
    ]
    return Run.open(write_run(folder, RATES, swept="gateways.signals", repetitions=repetitions, series=series))


def test_the_loss_is_what_each_pillar_takes_from_the_throughput_without_any(tmp_path: Path) -> None:
    cost = telemetry_cost(compared(tmp_path))
    losses = {pillar: round(each.throughput_loss, 6) for pillar, each in cost.pillars.items()}
    assert (losses, cost.blocks) == ({"all": 0.05, "metrics": 0.02, "traces": 0.01, "logs": 0.03}, 3)


def test_the_servers_share_counts_neither_the_generator_nor_the_supervisor(tmp_path: Path) -> None:
    assert telemetry_cost(compared(tmp_path)).backends_share == pytest.approx(0.2)


def test_the_gateways_cpu_for_an_order_is_told_with_and_without(tmp_path: Path) -> None:
    cost = telemetry_cost(compared(tmp_path))
    assert cost.pillars["all"].gateway_us == pytest.approx(0.6e6 / 95)
    assert cost.off_gateway_us == pytest.approx(0.6e6 / 100)


def test_a_single_block_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="has one repetition"):
        telemetry_cost(compared(tmp_path, repetitions=1))


def test_a_run_of_another_campaign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not compare gateways"):
        telemetry_cost(gateway_bound(tmp_path))
