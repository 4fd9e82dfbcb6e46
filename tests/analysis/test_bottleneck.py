"""A planted limit is named, an innocent is not accused, and what the evidence does not show is said to be unclear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.bottleneck import Status, verdict
from analysis.finding import Bearing
from loadgen.record import Invalidity, Run
from tests.analysis.runs import STAGES, cpu, gateway_bound, stages, topologies
from tests.loadgen.synthetic import START_NS, Series, write_run

QUOTAS = {"gateways.cpu_cores": 0.2, "ledger.cpu_cores": 0.4}


def sealed(folder: Path, orders_per_s: dict[int, float], series: list[Series], **more: Any) -> Run:
    return Run.open(write_run(folder, orders_per_s, series=series, **{"topologies": topologies(QUOTAS), **more}))


def test_full_gateways_that_throughput_follows_are_suspected(tmp_path: Path) -> None:
    found = verdict(gateway_bound(tmp_path))
    assert (found.limit, found.status) == ("gateway", Status.SUSPECTED)
    assert (
        found.sentence == "Suspected: the CPU quota of the gateways limits the cluster to 380 orders/s with 4 gateways."
    )
    assert found.doubt


def test_the_limit_may_move_from_the_gateways_to_postgres_as_the_cluster_grows(tmp_path: Path) -> None:
    gateway, postgres = {1: 0.199, 2: 0.17, 4: 0.1}, {1: 0.15, 2: 0.28, 4: 0.39}
    run = sealed(tmp_path, {1: 150, 2: 280, 4: 390}, [*cpu({"gateway": gateway, "ledger": postgres})])
    found = verdict(run)
    assert [limit.name for limit in found.limits] == ["CPU of the gateways", "CPU of the gateways", "CPU of Postgres"]
    assert found.sentence == (
        "Suspected: the CPU of Postgres limits the cluster to 390 orders/s with 4 gateways"
        "; with 1 gateway and 2 gateways it is the CPU of the gateways."
    )


@pytest.mark.parametrize(
    ("gateway", "postgres", "confidence"),
    [({1: 0.199, 4: 0.1}, {1: 0.15, 4: 0.39}, 0.9), ({1: 0.199, 4: 0.199}, {1: 0.15, 4: 0.39}, 0.7)],
    ids=["the gateways are suspected elsewhere only", "Postgres is suspected beside them there alone"],
)
def test_confidence_falls_with_rivals_in_the_verdicts_own_configuration_alone(
    tmp_path: Path, gateway: dict[int, float], postgres: dict[int, float], confidence: float
) -> None:
    found = verdict(sealed(tmp_path, {1: 150, 4: 390}, [*cpu({"gateway": gateway, "ledger": postgres})]))
    assert (found.status, found.confidence) == (Status.SUSPECTED, confidence)


def test_idle_processors_and_a_long_ledger_stage_point_at_the_commit_path(tmp_path: Path) -> None:
    slow = [*cpu({"gateway": 0.05, "ledger": 0.05}), *stages({**STAGES, "ledger": 0.090}, 200)]
    found = verdict(sealed(tmp_path, {1: 390, 2: 395, 4: 397}, slow, latency_ms=100.0))
    assert (found.limit, found.status) == ("ledger", Status.SUSPECTED)
    assert "commit path of Postgres" in found.sentence


def test_orders_that_wait_for_a_connection_point_at_the_pool(tmp_path: Path) -> None:
    waiting = Series("gateway_ledger_waiters", "gateway", lambda *_: 20.0, "gateway-1", {"shard": "0"})
    slow = [*cpu({"gateway": 0.05, "ledger": 0.05}), *stages({**STAGES, "ledger": 0.090}, 200), waiting]
    found = verdict(sealed(tmp_path, {1: 390, 2: 395, 4: 397}, slow, latency_ms=100.0))
    assert "connection pool of Postgres" in found.sentence


def test_idle_processors_without_stage_times_are_unclear_and_the_missing_evidence_is_named(tmp_path: Path) -> None:
    found = verdict(sealed(tmp_path, {1: 390, 2: 395, 4: 397}, [*cpu({"gateway": 0.05})], latency_ms=100.0))
    assert found.status is Status.UNCLEAR
    assert any("neither suspected nor cleared" in doubt for doubt in found.doubt)


def test_a_run_without_any_series_is_unclear(tmp_path: Path) -> None:
    assert verdict(Run.open(write_run(tmp_path, {1: 100}))).status is Status.UNCLEAR


def test_users_that_mostly_think_meet_no_limit(tmp_path: Path) -> None:
    easy = [*cpu({"gateway": 0.05, "ledger": 0.02}), *stages(STAGES, 40)]
    found = verdict(sealed(tmp_path, {1: 39, 2: 39, 4: 39}, easy, think_time_s=1.0, latency_ms=10.0))
    assert found.status is Status.NO_LIMIT
    assert found.sentence.startswith("No limit at this load")
    assert found.confidence is None


def test_a_full_host_is_the_limit_where_no_component_has_a_quota(tmp_path: Path) -> None:
    series = [*cpu({"gateway": {1: 0.9, 2: 0.5, 4: 0.3}, "ledger": 0.4})]
    run = sealed(tmp_path, {1: 900, 2: 1000, 4: 1000}, series, topologies=topologies({}), host_busy_share=0.97)
    found = verdict(run)
    assert (found.limit, found.status) == ("host", Status.HOST)
    assert "its 2 cores were full" in found.sentence


def test_a_component_full_to_its_quota_is_named_on_a_full_host_and_the_host_is_in_the_doubt(tmp_path: Path) -> None:
    found = verdict(gateway_bound(tmp_path, host_busy_share=0.9))
    assert found.limit == "gateway"
    assert any("machine as a whole was 90 % busy" in doubt for doubt in found.doubt)


def test_a_cluster_that_grew_past_its_peak_is_said_to_carry_less(tmp_path: Path) -> None:
    series = [*cpu({"gateway": {1: 0.9, 4: 0.3, 8: 0.1}, "ledger": 0.4})]
    run = sealed(tmp_path, {1: 265, 4: 316, 8: 269}, series, topologies=topologies({}, (1, 4, 8)), host_busy_share=0.97)
    assert verdict(run).sentence.endswith("; 8 gateways carry less, 269 orders/s.")


def test_a_part_that_died_while_it_was_measured_is_in_the_doubt(tmp_path: Path) -> None:
    died = {"t_ns": START_NS + 6 * 10**9, "kind": "died", "part": "gateway-1", "said": "", "log_end": ""}
    found = verdict(gateway_bound(tmp_path, orders_per_s={1: 100}, events=[died]))
    assert any(doubt.startswith("gateway-1 died while gateways=1 was measured") for doubt in found.doubt)


@pytest.mark.parametrize(("foreign_share", "is_said"), [(None, True), (0.4, True), (0.02, False)])
def test_work_outside_the_lab_that_fills_the_host_is_said(
    tmp_path: Path, foreign_share: float | None, is_said: bool
) -> None:
    """By the accounts of the parts where the run does not know the share that others used."""
    run = sealed(
        tmp_path, {1: 100}, [*cpu({"gateway": 0.1})], topologies=topologies(QUOTAS), host_busy_share=0.98,
        foreign_share=foreign_share,
    )  # fmt: skip
    assert (verdict(run).next == "Stop what else runs on this machine and repeat.") is is_said


def test_a_generator_above_85_percent_of_its_allotment_is_the_limit(tmp_path: Path) -> None:
    found = verdict(gateway_bound(tmp_path, generator_cpu_share=0.9))
    assert (found.limit, found.status) == ("generator", Status.GENERATOR)


@pytest.mark.parametrize(("blames", "status"), [("generator", Status.GENERATOR), ("machine", Status.HOST)])
def test_an_invalid_run_gives_no_verdict_on_the_system(tmp_path: Path, blames: str, status: Status) -> None:
    reason = Invalidity("gateways=1/1", blames, "it was too busy.")
    found = verdict(gateway_bound(tmp_path, reasons=[reason]))
    assert found.sentence == "INVALID run, no verdict on the system: it was too busy."
    assert (found.status, found.limits) == (status, ())


def test_a_run_in_which_no_order_was_answered_says_so(tmp_path: Path) -> None:
    found = verdict(Run.open(write_run(tmp_path, {1: 0}, errors={"refused": 50})))
    assert found.sentence == "Not one order was carried, so there is no throughput to explain."


def test_every_suspicion_carries_its_doubt_and_its_evidence(tmp_path: Path) -> None:
    suspicions = [f for f in verdict(gateway_bound(tmp_path)).findings if f.status is Bearing.SUSPECTED]
    assert suspicions
    assert all(f.doubt and f.evidence for f in suspicions)
