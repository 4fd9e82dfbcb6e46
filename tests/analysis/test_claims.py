"""A claim is supported or refuted by a run that shows it and by no other; one not tested says what would test it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis import claim_tests
from analysis.bottleneck import Status, verdict
from analysis.claim_tests import (
    Standing,
    aws_throttle,
    cf_state,
    hft_gateway,
    hft_pg_ceiling,
    hft_redis,
    hft_scaling,
    hft_shard,
)
from analysis.claims import CLAIMS, ClaimError, document, judged, printed
from loadgen.record import Invalidity, Run, Window
from tests.analysis.runs import STAGES, cpu, stages, topologies
from tests.loadgen.synthetic import Series, write_run


def swept(folder: Path, orders_per_s: Mapping[int, float], **more: Any) -> Run:
    return Run.open(write_run(folder, orders_per_s, **{"repetitions": 3, **more}))


def status(runs: list[Run], claim: str) -> tuple[str, str]:
    row = next(row for row in document(judged(runs, {})) if row["id"] == claim)
    return row["status"], row["run"]


def test_more_gateways_that_carry_more_and_then_less_support_the_shape_and_a_fall_from_the_start_refutes_it(
    tmp_path: Path,
) -> None:
    found = hft_scaling(swept(tmp_path / "up", {1: 40, 4: 48, 8: 41}))
    assert found is not None
    assert found.standing is Standing.SUPPORTED
    assert "1.20 (document 1.19)" in found.said
    fallen = hft_scaling(swept(tmp_path / "down", {1: 24, 4: 17, 8: 14}))
    assert fallen is not None
    assert fallen.standing is Standing.REFUTED


def test_a_fall_from_the_start_on_a_full_host_refutes_nothing(tmp_path: Path) -> None:
    found = hft_scaling(swept(tmp_path, {1: 24, 4: 17, 8: 14}, host_busy_share=0.97))
    assert found is not None
    assert found.standing is Standing.NOT_TESTABLE


def test_a_suspicion_of_postgres_neither_supports_nor_refutes_that_it_is_the_limit_and_a_proof_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = [*cpu({"gateway": 0.05, "ledger": 0.05}), *stages({**STAGES, "ledger": 0.090}, 200)]
    run = swept(tmp_path, {1: 390, 4: 397}, series=slow, latency_ms=100.0, topologies=topologies({}))
    named = verdict(run)
    assert (named.limit, named.status) == ("ledger", Status.SUSPECTED)
    found = hft_pg_ceiling(run)
    assert found is not None
    assert (found.standing, found.said[-20:]) == (Standing.NOT_TESTABLE, "only a proof decides")
    for limit, standing in (("ledger", Standing.SUPPORTED), ("gateway", Standing.REFUTED)):
        monkeypatch.setattr(
            claim_tests, "verdict", lambda _, limit=limit: replace(named, limit=limit, status=Status.PROVEN)
        )
        proven = hft_pg_ceiling(run)
        assert proven is not None
        assert proven.standing is standing


def cores(component: str, of: Callable[[Window], float]) -> Series:
    return Series("cluster_cpu_seconds_total", component, lambda w, s: 100 + of(w) * s, f"{component}-1")


@pytest.mark.parametrize(
    ("demand_us", "standing"),
    [
        ((89, 90, 91), Standing.SUPPORTED),
        ((80, 95, 110), Standing.NOT_TESTABLE),
        ((119, 120, 121), Standing.REFUTED),
    ],
)
def test_a_ceiling_is_decided_by_its_whole_interval(
    tmp_path: Path, demand_us: tuple[float, ...], standing: Standing
) -> None:
    """10,000 orders/s of a core are 100 µs for each."""
    busy = cores("redis", lambda window: 200 * 1e-6 * demand_us[window.repetition - 1])
    found = hft_redis(swept(tmp_path, {1: 200}, series=[busy], topologies=topologies({})))
    assert found is not None
    assert found.standing is standing


def test_one_gateway_is_judged_where_it_stood_alone(tmp_path: Path) -> None:
    """400 µs an order alone are 2,500 orders/s; where four carried more it would have been 4,000."""
    busy = cores("gateway", lambda window: {1: 200 * 400e-6, 4: 300 * 250e-6}[window.parameters["gateways"]])
    found = hft_gateway(swept(tmp_path, {1: 200, 4: 300}, series=[busy], topologies=topologies({})))
    assert found is not None
    assert (found.standing, "2,500 orders/s" in found.said) == (Standing.REFUTED, True)


@pytest.mark.parametrize(
    ("errors", "standing"),
    [({"http_429": 1500}, Standing.SUPPORTED), ({"http_429": 1400, "timeout": 100}, Standing.REFUTED)],
)
def test_a_throttle_protects_only_where_the_rest_is_told_429(
    tmp_path: Path, errors: dict[str, int], standing: Standing
) -> None:
    limited = topologies({"limits.total_per_s": 50}, (1,))
    found = aws_throttle(Run.open(write_run(tmp_path, {1: 50}, planned_per_s=200.0, errors=errors, topologies=limited)))
    assert found is not None
    assert found.standing is standing


def test_a_check_of_microseconds_refutes_no_read_in_nanoseconds(tmp_path: Path) -> None:
    took_s = {"memory": 20e-6, "redis": 400e-6}

    def spent(window: Window, second: float) -> float:
        return 100 * second * took_s[window.parameters["risk.portfolio"]]

    checks = [
        Series("gateway_risk_check_seconds_sum", "gateway", spent),
        Series("gateway_risk_check_seconds_count", "gateway", lambda _, second: 100 * second),
    ]
    found = cf_state(
        Run.open(write_run(tmp_path, {"memory": 100, "redis": 100}, swept="risk.portfolio", series=checks))
    )
    assert found is not None
    assert (found.standing, found.said) == (
        Standing.NOT_TESTABLE,
        "the whole check takes in memory 20.0 µs, redis 400.0 µs; the read alone is not timed",
    )


def test_three_shards_are_judged_by_their_ratio_to_one(tmp_path: Path) -> None:
    found = hft_shard(swept(tmp_path, {1: 100, 3: 280}, swept="ledger.shards"))
    assert found is not None
    assert (found.standing, found.said[:29]) == (Standing.SUPPORTED, "three shards carry 2.80 times")
    less = hft_shard(swept(tmp_path / "less", {1: 100, 3: 150}, swept="ledger.shards"))
    assert less is not None
    assert less.standing is Standing.REFUTED


def test_the_newest_valid_run_that_decides_is_the_one_named_and_an_invalid_one_shows_nothing(tmp_path: Path) -> None:
    old, new = (
        swept(tmp_path, rates, run_id=name)
        for name, rates in (("old", {1: 24, 4: 17, 8: 14}), ("new", {1: 40, 4: 48, 8: 41}))
    )
    blamed = [Invalidity("gateways=1/1", "machine", "woken late")]
    broken = swept(tmp_path, {1: 24, 4: 17, 8: 14}, run_id="broken", reasons=blamed)
    assert status([old, new, broken], "hft-scaling") == ("supported", "new")
    assert status([broken], "hft-scaling") == ("not yet tested", "")


def test_every_claim_says_what_tests_it_or_why_nothing_here_can() -> None:
    assert all(claim.by for claim in CLAIMS)
    rows = {row["id"]: row for row in document(judged([], {}))}
    assert len(rows) == len(CLAIMS)
    assert rows["hft-enterprise"]["status"] == "not testable here"
    assert rows["rrr-cost"]["status"] == "refuted"


def test_a_bench_file_that_is_empty_or_older_than_its_claim_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "engine-grpc.json").write_text("")
    (tmp_path / "gateway.json").write_text('{"requests_per_s": 3200}')
    (tmp_path / "of_no_claim.json").write_text("")
    with pytest.raises(ClaimError) as refused:
        printed(tmp_path)
    engine, gateway = str(refused.value).splitlines()
    assert engine.startswith(f"{tmp_path}/engine-grpc.json: no figure cpp_stream_on_disk_orders_per_s")
    assert gateway.startswith(f"{tmp_path}/gateway.json: no figure orders_per_s (KeyError")
    assert gateway.endswith(f"`lab bench gateway --json > {tmp_path}/gateway.json` writes it again")
    (tmp_path / "engine-grpc.json").unlink()
    (tmp_path / "gateway.json").write_text('{"orders_per_s": 3200}')
    assert printed(tmp_path) == {"gateway": 3200.0}
