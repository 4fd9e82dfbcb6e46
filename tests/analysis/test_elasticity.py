"""Elasticities from turns whose truth is known: a closed queueing network, solved exactly with each capacity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from analysis import mva
from analysis.elasticity import ARMS, BASE, LESS, MORE, Elasticity, Proof, proof
from analysis.finding import Figure, Mechanism
from analysis.measured import Configuration
from analysis.proving import trial
from loadgen.record import Run, Window
from reports.report import write
from tests.loadgen.synthetic import START_NS, WARM_UP_S, write_run

ROUNDS, TURN_S, STEP = 6, 5, 1.2
USERS = 20
SYNCS_RECORDED = {
    "ledger": ("pg_wal_sync_seconds", "pg_wal_syncs"),
    "engine": ("engine_sync_duration_seconds_sum", "engine_sync_duration_seconds_count"),
}
COMMIT_BOUND = {"gateway cpu": 0.002, "engine cpu": 0.001, "ledger commit": 0.010}
BALANCED = {"gateway cpu": 0.010, "engine cpu": 0.001, "ledger commit": 0.010}


class Turned:
    """A run of one window in which levers were turned; throughput is what the network of `demands_s` carries."""

    def __init__(
        self, demands_s: Mapping[str, float], turned: Mapping[str, float], noise: float = 0.01, drift: float = 0.0
    ) -> None:
        draw = np.random.default_rng(1)
        rows: list[dict[str, Any]] = []
        answered = []
        block = [(lever, arm) for lever in turned for arm in (LESS, BASE, MORE)]
        for number in range(1, ROUNDS + 1):
            for lever, arm in block if number % 2 else reversed(block):
                factor = {LESS: 1 / STEP, BASE: 1.0, MORE: STEP}[arm]
                start = len(rows) * TURN_S * 10**9
                per_s = carried({**demands_s, lever: demands_s[lever] / factor})
                per_s *= (1 + noise * draw.standard_normal()) * (1 - drift * len(rows))
                answered.append(start + np.arange(round(per_s * TURN_S)) * 1e9 / per_s)
                rows.append({
                    "window": "base/1", "round": number, "lever": lever, "component": lever.partition(" ")[0],
                    "arm": arm, "written": factor, "started_ns": start, "settled_ns": start + 10**9,
                    "ended_ns": start + TURN_S * 10**9,
                })  # fmt: skip
        self.interventions = pd.DataFrame(rows)
        self.acks = pd.DataFrame({"answered_ns": np.concatenate(answered), "kind": "new", "outcome": "ok"})
        self.end_ns = len(rows) * TURN_S * 10**9

    def series(self, _metric: str, _window: Window) -> pd.DataFrame:
        return pd.DataFrame(columns=["component", "instance", "t_ns", "value"])

    @property
    def configuration(self) -> Configuration:
        window = Window("base/1", {}, 1, 0, USERS, 0.0, None, 0, 0, self.end_ns, self.end_ns)
        return Configuration(
            "base", {}, (window,), Figure("throughput", 90.0, "orders/s"), 1.0, 1000, {"ok": 1000}, {"ok": 1000}
        )


class Syncing(Turned):
    """Of which syncs were recorded: a hundred in each turn, shorter by the square of what was written."""

    def series(self, metric: str, window: Window) -> pd.DataFrame:
        component = next((name for name, names in SYNCS_RECORDED.items() if metric in names), None)
        if component is None:
            return super().series(metric, window)
        turns = self.interventions
        counts = np.full(len(turns), 100.0)
        grown = counts if metric == SYNCS_RECORDED[component][1] else counts * 0.002 / turns["written"].to_numpy() ** 2
        return pd.DataFrame({
            "component": component, "instance": f"{component}-1",
            "t_ns": np.append(turns["started_ns"], self.end_ns), "value": np.append(0.0, np.cumsum(grown)),
        })  # fmt: skip


def carried(demands_s: Mapping[str, float]) -> float:
    return mva.solve([mva.servers(name, of, 1, 1.0) for name, of in demands_s.items()], USERS, 0.0).throughput_per_s


def test_throughput_follows_the_one_bottleneck_and_all_elasticities_sum_to_one() -> None:
    run = Turned(COMMIT_BOUND, COMMIT_BOUND)
    found = proof(cast("Run", run), run.configuration)
    assert found is not None
    assert found.elasticities[0].lever == "ledger commit"
    assert found.elasticities[0].value.value == pytest.approx(1.0, abs=0.08)
    assert abs(found.rest) < 0.1


def test_a_lone_bottleneck_is_proven_by_relief_with_its_mechanism() -> None:
    run = Turned(COMMIT_BOUND, COMMIT_BOUND)
    tried = trial(cast("Run", run), run.configuration)
    assert tried is not None
    assert tried.is_proven
    assert (tried.first.component, tried.mechanism) == ("ledger", Mechanism.COMMIT)
    assert tried.first.relief.value == pytest.approx(STEP, abs=0.03)


@pytest.mark.parametrize("component", list(SYNCS_RECORDED))
def test_a_commit_levers_capacity_is_what_the_syncs_of_its_component_took(component: str) -> None:
    demands_s = {"gateway cpu": 0.002, f"{component} commit": 0.010}
    run = Syncing(demands_s, demands_s)
    found = proof(cast("Run", run), run.configuration)
    assert found is not None
    received = {each.lever: each.received for each in found.elasticities}
    assert received == pytest.approx({"gateway cpu": STEP**2, f"{component} commit": STEP**4})


def test_of_two_equal_bottlenecks_neither_is_proven() -> None:
    run = Turned(BALANCED, BALANCED)
    tried = trial(cast("Run", run), run.configuration)
    assert tried is not None
    assert not tried.is_proven
    assert "Does not hold: " in tried.finding(run.configuration).doubt


def test_where_the_limit_was_not_turned_nothing_is_proven() -> None:
    run = Turned(COMMIT_BOUND, {name: COMMIT_BOUND[name] for name in ("gateway cpu", "engine cpu")})
    tried = trial(cast("Run", run), run.configuration)
    assert tried is not None
    assert not tried.is_proven
    assert tried.proof.rest > 0.8


def test_a_machine_that_drifts_proves_nobody_wrongly() -> None:
    run = Turned(COMMIT_BOUND, {name: COMMIT_BOUND[name] for name in ("gateway cpu", "engine cpu")}, drift=0.005)
    found = proof(cast("Run", run), run.configuration)
    assert found is not None
    assert all(abs(each.value.value) < 0.2 for each in found.elasticities)


def test_an_elasticity_below_nought_is_chance_and_leaves_nothing_to_explain() -> None:
    def turned(lever: str, value: float) -> Elasticity:
        figure = Figure(lever, value, "")
        return Elasticity(lever, lever.partition(" ")[0], figure, figure, figure, figure, 1.4, 0.5)

    found = Proof((turned("gateway replicas", 0.9), turned("engine cpu", -0.3)), Figure("as it was", 90.0, ""), 0.0)
    assert found.rest == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("engine_turns", "levers"), [(5, []), (7, ["engine cpu"])], ids=["none has two", "one has two"]
)
def test_a_proof_that_ctrl_c_ended_shows_the_levers_with_two_whole_rounds_and_can_be_reported(
    tmp_path: Path, engine_turns: int, levers: list[str]
) -> None:
    """Turns of a second; the gateways never had their second round."""
    turns = [("gateway cpu", arm, 1) for arm in ARMS] + [("engine cpu", ARMS[n % 3], 1 + n // 3) for n in range(7)]
    from_ns = START_NS + WARM_UP_S * 10**9
    rows = [
        {"window": "gateways=1/1", "round": number, "lever": lever, "component": lever.partition(" ")[0], "arm": arm,
         "written": {LESS: 0.8, BASE: 1.0, MORE: 1.2}[arm], "started_ns": from_ns + at * 10**9,
         "settled_ns": from_ns + at * 10**9 + 10**8, "ended_ns": from_ns + (at + 1) * 10**9}
        for at, (lever, arm, number) in enumerate(turns[: 3 + engine_turns])
    ]  # fmt: skip
    path = write_run(tmp_path, {1: 100}, interventions=rows, status="aborted")
    write(path)
    report = json.loads((path.with_name(f"{path.name}.report") / "report.json").read_text())
    assert [lever["lever"] for found in report["proofs"] for lever in found["levers"]] == levers
