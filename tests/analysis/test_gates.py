"""Gates hold each configuration to its bounds, against the baseline too; CI systems read the outcome as JUnit XML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from junitparser import Error, Failure, JUnitXml

from analysis.gates import gates
from loadgen.record import Invalidity, Run
from reports.report import write
from tests.loadgen.synthetic import write_run

GATES = {"p99_ms": 30.0, "orders_per_s": 15.0, "error_share": 0.01, "reconciled": True}


def run(folder: Path, asked: dict[str, Any], rate: float = 20, **more: Any) -> Run:
    return Run.open(write_run(folder, {1: rate}, gates=asked, **more))


def missed(found: Run) -> list[str]:
    return [gate.name for gate in gates(found) if not gate.passed]


def test_a_run_within_its_bounds_passes_every_gate(tmp_path: Path) -> None:
    found = gates(run(tmp_path, GATES))
    assert [(gate.name, gate.passed) for gate in found] == [(name, True) for name in GATES]


@pytest.mark.parametrize(
    ("given", "gate"),
    [
        ({"latency_ms": 40.0}, "p99_ms"),
        ({"rate": 10}, "orders_per_s"),
        ({"errors": {"timeout": 9}}, "error_share"),
        ({"reconciliation": {"lost": 1}}, "reconciled"),
    ],
)
def test_each_bound_that_is_broken_is_a_missed_gate(tmp_path: Path, given: dict[str, Any], gate: str) -> None:
    assert missed(run(tmp_path, GATES, **given)) == [gate]


def test_where_nothing_was_answered_no_bound_is_kept(tmp_path: Path) -> None:
    found = run(tmp_path, {"p99_ms": 1000.0}, rate=0, errors={"timeout": 5})
    assert [(gate.passed, gate.said) for gate in gates(found)] == [(False, "nothing was answered, at most 1000 ms")]


@pytest.mark.parametrize(("rate", "expected"), [(20, []), (24, []), (16, ["regression"])])
def test_only_a_change_for_the_worse_is_a_regression(tmp_path: Path, rate: float, expected: list[str]) -> None:
    run(tmp_path, {}, repetitions=6, run_id="before")
    asked = {"regression": {"baseline": "before", "change_max": 0.05}}
    assert missed(run(tmp_path, asked, rate, repetitions=6, seed=2)) == expected


def test_a_baseline_that_is_not_there_is_a_missed_gate_that_says_so(tmp_path: Path) -> None:
    (gate,) = gates(run(tmp_path, {"regression": {"baseline": "nowhere", "change_max": 0.05}}))
    assert not gate.passed
    assert "nowhere: not a sealed run" in gate.said


def test_junit_xml_holds_passed_and_missed_gates(tmp_path: Path) -> None:
    found = run(tmp_path, GATES, latency_ms=40.0)
    write(found.path)
    (suite,) = JUnitXml.fromfile(str(found.path.with_name(f"{found.id}.report") / "gates.xml"))
    results = {case.name: [type(result) for result in case.result] for case in suite}
    assert results["p99_ms gateways=1"] == [Failure]
    assert results["orders_per_s gateways=1"] == results["valid run"] == results["complete"] == []
    assert (suite.tests, suite.failures) == (6, 1)


def test_an_invalid_run_is_an_error_in_junit_xml_and_its_gates_say_nothing(tmp_path: Path) -> None:
    found = run(tmp_path, GATES, reasons=[Invalidity("gateways=1/1", "machine", "stolen")])
    write(found.path)
    (suite,) = JUnitXml.fromfile(str(found.path.with_name(f"{found.id}.report") / "gates.xml"))
    assert [[type(result) for result in case.result] for case in suite] == [[Error], [], []]


def test_an_aborted_run_and_a_broken_promise_are_red_in_junit_xml_though_no_gate_asks(tmp_path: Path) -> None:
    found = run(tmp_path, {}, status="aborted", reconciliation={"lost": 2, "acknowledged": 200})
    write(found.path)
    (suite,) = JUnitXml.fromfile(str(found.path.with_name(f"{found.id}.report") / "gates.xml"))
    results = {case.name: [(type(result), result.message) for result in case.result] for case in suite}
    assert results == {
        "valid run": [],
        "complete": [(Error, "the run was aborted")],
        "reconciled": [(Failure, "2 lost of 200 acknowledged")],
    }
