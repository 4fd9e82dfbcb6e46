"""The command line as a program sees it: one document on standard output, an exit code for each kind of end."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from lab import app
from loadgen.record import Run
from tests.loadgen.synthetic import write_run

GOLDEN = Path(__file__).parent / "golden"
TRADE_HASH_OF_1000 = "29303e0faa04e8f8"


def lab(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_engine_benchmark_gives_the_reference_hash() -> None:
    figures = json.loads(lab("bench", "engine", "--events", "1000", "--json").stdout)
    assert (figures["trade_hash"], figures["n"], figures["id_index"]) == (TRADE_HASH_OF_1000, 1000, "dense")


def test_a_benchmark_that_is_asked_for_nonsense_says_so_and_is_bad_input() -> None:
    result = lab("bench", "engine", "--id-index", "guess")
    assert result.exit_code == 2
    assert "id-index" in result.stderr


def test_a_stall_that_is_a_smaller_share_than_the_quantiles_see_is_bad_input() -> None:
    assert lab("bench", "stall", "--duration-s", "20").exit_code == 2


@pytest.fixture
def run(tmp_path: Path) -> Path:
    shutil.copytree(GOLDEN / "gateway-bound", tmp_path / "run")
    return tmp_path / "run"


def test_a_sealed_run_is_reported_as_one_document(run: Path) -> None:
    result = lab("report", run, "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert {"run", "valid", "configurations", "reconciliation", "verdict", "report"} <= set(document)
    assert Path(document["report"]).is_file()


def test_a_tampered_run_is_a_failed_check_that_names_the_file(run: Path) -> None:
    with (run / "acks.parquet").open("ab") as file:
        file.write(b"x")
    result = lab("report", run)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "acks.parquet" in result.stderr


def test_what_is_no_run_is_bad_input(tmp_path: Path) -> None:
    result = lab("report", tmp_path)
    assert result.exit_code == 2
    assert "not a sealed run" in result.stderr


def test_a_campaign_with_faults_is_bad_input_and_every_fault_is_said(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("name: bad\ntitle: Bad\ntopology: local\nloda: {}\nload: {users: -1, duration_s: 5}\n")
    result = lab("run", path)
    assert result.exit_code == 2
    assert "bad.yaml:4: loda" in result.stderr
    assert "bad.yaml:5: load.users: is -1" in result.stderr


def test_a_dry_run_prints_the_plan_and_runs_nothing(tmp_path: Path) -> None:
    result = lab("run", "loadgen/campaigns/quick.yaml", "--dry-run", "--json")
    plan = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [line["users"] for line in plan["lines"]] == [40, 40, 40]
    assert plan["total_s"] > plan["under_load_s"] == 57
    proof = json.loads(lab("run", "loadgen/campaigns/quick.yaml", "--dry-run", "--prove", "--json").stdout)
    assert proof["total_s"] > plan["total_s"] + proof["proof_s"] / 2 > plan["total_s"]
    assert lab("run", "loadgen/campaigns/quick.yaml", "--dry-run", "--workers", "64").exit_code == 2


def test_an_aborted_run_has_an_exit_code_of_its_own_unless_a_promise_was_broken(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", {1: 50}, status="aborted")
    assert lab("report", path).exit_code == 130
    assert (
        lab("report", write_run(tmp_path / "b", {1: 50}, status="aborted", reconciliation={"lost": 1})).exit_code == 3
    )


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No cluster, and no boards drawn."""
    monkeypatch.setattr("loadgen.run.cluster_for", lambda *_: nullcontext())
    monkeypatch.setattr("dashboards.commands.draw_beside", lambda _: None)
    return monkeypatch


@pytest.mark.parametrize(
    ("own", "exit_code"),
    [({"status": "aborted"}, 130), ({"reconciliation": {"lost": 2}}, 3)],
    ids=["stopped by Ctrl-C", "a promise broken"],
)
def test_a_run_that_is_not_whole_or_broke_a_promise_is_not_proven(
    own: dict[str, Any], exit_code: int, tmp_path: Path, alone: pytest.MonkeyPatch
) -> None:
    sealed = [write_run(tmp_path, {1: 50}, **own)]
    alone.setattr("loadgen.run.run_campaign", lambda *_, **__: sealed.pop())
    result = lab("run", "loadgen/campaigns/pg_ceiling.yaml", "--prove", "--json")
    assert (result.exit_code, sealed) == (exit_code, [])
    assert "nothing is proven" in result.stderr
    assert json.loads(result.stdout)["run"].startswith(str(tmp_path))


def test_a_gate_that_the_campaigns_own_run_missed_outlives_its_clean_proof(
    tmp_path: Path, alone: pytest.MonkeyPatch
) -> None:
    own = write_run(tmp_path, {1: 50}, gates={"orders_per_s": 60})
    proof = Run.open(write_run(tmp_path, {1: 50}, run_id="20261121T081600Z-synthetic_proof"))
    alone.setattr("loadgen.run.run_campaign", lambda *_, **__: own)
    alone.setattr("lab.proven", lambda *_: [proof])
    result = lab("run", "loadgen/campaigns/pg_ceiling.yaml", "--prove", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 3
    assert "Gate missed: orders_per_s" in result.stderr
    assert (document["run"], document["passive"]["run"]) == (str(proof.path), str(own))
    assert [gate["passed"] for gate in document["passive"]["gates"]] == [False]
