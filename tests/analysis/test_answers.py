"""A component that keeps silent is told from the way to it, though neither uses a processor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from analysis.answers import answers
from analysis.bottleneck import verdict
from analysis.finding import Bearing
from loadgen.record import Run
from tests.analysis.runs import STAGES, cpu, stages, topologies
from tests.loadgen.synthetic import Series, write_run

IDLE = {"gateway": 0.05, "ledger": 0.05}
LATENCY_MS = 100.0


def asked(answer_s: Mapping[str, float]) -> list[Series]:
    """Two questions a second to every component of the order path; what is not given answers within 2 ms."""
    found = []
    for component in ("haproxy", "gateway", "engine", "ledger", "redis"):
        took_s = answer_s.get(component, 0.002)
        found += [
            Series("cluster_asked_total", component, lambda _, s: 2 * s, f"{component}-1"),
            Series("cluster_answer_seconds_total", component, lambda _, s, t=took_s: 2 * t * s, f"{component}-1"),
        ]
    return found


def sealed(folder: Path, held_s: Mapping[str, float], answer_s: Mapping[str, float]) -> Run:
    series = [*cpu(IDLE), *stages({**STAGES, **held_s}, 200), *asked(answer_s)]
    quotas = topologies({"gateways.cpu_cores": 0.2, "ledger.cpu_cores": 0.4})
    return Run.open(write_run(folder, {2: 200}, topologies=quotas, series=series, latency_ms=LATENCY_MS))


@pytest.mark.parametrize(
    ("held_s", "silent", "limit"),
    [
        ({"engine": 0.09}, "engine", "engine"),
        ({"engine": 0.09}, None, "network gateway-engine"),
        ({"engine": 0.09}, "gateway", "gateway"),
        ({"ledger": 0.09}, "ledger", "ledger"),
        ({"ledger": 0.09}, "gateway", "gateway"),
        ({}, "haproxy", "haproxy"),
        ({}, "gateway", "gateway"),
        ({}, None, "network haproxy-gateway"),
        ({"engine": 0.04, "ledger": 0.04}, "gateway", "gateway"),
    ],
)
def test_who_is_silent_when_asked_is_the_limit_and_else_the_way_there(
    tmp_path: Path, held_s: Mapping[str, float], silent: str | None, limit: str
) -> None:
    found = verdict(sealed(tmp_path, held_s, {silent: 0.06} if silent else {}))
    assert found.limit == limit


def test_an_answer_within_a_few_milliseconds_accuses_nobody_however_fast_orders_are(tmp_path: Path) -> None:
    series = [*cpu(IDLE), *stages(STAGES, 200), *asked({"ledger": 0.006})]
    run = Run.open(write_run(tmp_path, {2: 200}, topologies=topologies({}), series=series, latency_ms=7.0))
    assert {finding.status for finding in answers(run)} == {Bearing.CLEARED}


def test_an_answer_much_shorter_than_an_order_accuses_nobody(tmp_path: Path) -> None:
    found = answers(sealed(tmp_path, {}, {"redis": 0.03}))
    assert {finding.status for finding in found} == {Bearing.CLEARED}
    assert len(found) == 5
