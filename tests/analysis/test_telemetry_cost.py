"""What telemetry costs, from runs in which its cost is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.telemetry_cost import OFF, PARAMETER, SETTINGS, telemetry_cost
from loadgen.manifest import RunError
from loadgen.record import Run, Window
from tests.analysis.runs import gateway_bound
from tests.loadgen.synthetic import Series, write_run

SIDES = [sides for setting in SETTINGS for sides in (f"{setting}+{OFF}", f"{OFF}+{setting}")]
RATES = {**dict.fromkeys(SIDES, 100.0), "all": 95.0, "none": 100.0}
US = {"all": 250.0, "metrics": 210.0, "traces": 205.0, "logs": 208.0, "none": 200.0}
ANSWERS_PER_S = {1: 60.0, 2: 40.0}
SPENT = {"ledger": 0.2, "prometheus": 0.1, "loki": 0.1, "generator": 0.5}


def of_gateway(number: int) -> Callable[[Window, float], float]:
    """Its CPU: what its signals cost for each request, on a machine that is slower in some windows than in others."""

    def cpu_s(window: Window, second: float) -> float:
        words = window.parameters[PARAMETER].split("+")
        slower = 1 + 0.2 * (window.position % 3)
        return slower * US[words[(number - 1) % len(words)]] * 1e-6 * ANSWERS_PER_S[number] * second

    return cpu_s


def growing(per_s: float) -> Callable[[Window, float], float]:
    return lambda _, second: per_s * second


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return compared(tmp_path_factory.mktemp("telemetry"), repetitions=2)


def compared(folder: Path, repetitions: int) -> Run:
    cpu, answers = "cluster_cpu_seconds_total", "haproxy_server_http_responses_total"
    series = [Series(cpu, component, growing(cores), component) for component, cores in SPENT.items()]
    for number, rate in ANSWERS_PER_S.items():
        name = f"gateway-{number}"
        series.append(Series(cpu, "gateway", of_gateway(number), name))
        for code, share in (("2xx", 0.9), ("4xx", 0.1)):
            labels = {"proxy": "gateways", "server": name, "code": code}
            series.append(Series(answers, "haproxy", growing(rate * share), "haproxy", labels))
    return Run.open(write_run(folder, RATES, swept=PARAMETER, repetitions=repetitions, series=series))


def test_the_loss_is_what_each_pillar_takes_from_a_gateway_beside_one_without_it(run: Run) -> None:
    pillars = telemetry_cost(run).pillars
    assert {name: round(cost.throughput_loss, 6) for name, cost in pillars.items()} == {
        setting: round(1 - US["none"] / US[setting], 6) for setting in SETTINGS
    }
    assert {cost.blocks for cost in pillars.values()} == {4}
    assert max(cost.ci95.high - cost.ci95.low for cost in pillars.values()) < 1e-9
    assert pillars["all"].on_us / pillars["all"].off_us == pytest.approx(1.25)


def test_the_whole_machine_is_compared_window_by_window(run: Run) -> None:
    assert telemetry_cost(run).whole.throughput_loss == pytest.approx(0.05)


def test_the_servers_share_counts_neither_the_generator_nor_the_supervisor(run: Run) -> None:
    assert telemetry_cost(run).backends_share == pytest.approx(0.2 / 0.4, rel=0.1)


def test_a_single_repetition_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="has one repetition"):
        telemetry_cost(compared(tmp_path, repetitions=1))


def test_a_run_of_another_campaign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not compare gateways"):
        telemetry_cost(gateway_bound(tmp_path))
