"""A claim is supported or refuted by a run that shows it and by no other; one not tested says what would test it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.claim_tests import Standing, hft_scaling, hft_shard
from analysis.claims import CLAIMS, document, judged
from loadgen.record import Invalidity, Run
from tests.loadgen.synthetic import write_run


def swept(folder: Path, orders_per_s: dict[int, float], **more: Any) -> Run:
    return Run.open(write_run(folder, orders_per_s, **{"repetitions": 3, **more}))


def status(runs: list[Run], claim: str) -> tuple[str, str]:
    row = next(row for row in document(judged(runs, {})) if row["id"] == claim)
    return row["status"], row["run"]


def test_more_gateways_that_carry_more_and_then_less_support_the_shape_and_a_fall_from_the_start_refutes_it(
    tmp_path: Path,
) -> None:
    found = hft_scaling(swept(tmp_path / "up", {1: 200, 4: 240, 8: 205}))
    assert found is not None
    assert found.standing is Standing.SUPPORTED
    assert "1.20 (document 1.19)" in found.said
    fallen = hft_scaling(swept(tmp_path / "down", {1: 240, 4: 170, 8: 140}))
    assert fallen is not None
    assert fallen.standing is Standing.REFUTED


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
        for name, rates in (("old", {1: 240, 4: 170, 8: 140}), ("new", {1: 200, 4: 240, 8: 205}))
    )
    blamed = [Invalidity("gateways=1/1", "machine", "woken late")]
    broken = swept(tmp_path, {1: 240, 4: 170, 8: 140}, run_id="broken", reasons=blamed)
    assert status([old, new, broken], "hft-scaling") == ("supported", "new")
    assert status([broken], "hft-scaling") == ("not yet tested", "")


def test_every_claim_says_what_tests_it_or_why_nothing_here_can() -> None:
    assert all(claim.by for claim in CLAIMS)
    rows = {row["id"]: row for row in document(judged([], {}))}
    assert len(rows) == len(CLAIMS)
    assert rows["hft-enterprise"]["status"] == "not testable here"
    assert rows["rrr-cost"]["status"] == "refuted"
