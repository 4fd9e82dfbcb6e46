"""A run as JUnit XML, the one form that every CI system reads: its validity and its gates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from analysis.gates import Gate
from loadgen.record import Run


def write(run: Run, gates: Sequence[Gate], path: Path) -> None:
    """An invalid run is an error of the measurement; a missed gate is a failure of what was measured."""
    suite = TestSuite(run.id)
    valid = TestCase("valid run", classname=run.campaign["name"])
    if not run.valid:
        valid.result = [Error("; ".join(f"{reason.window}: {reason.sentence}" for reason in run.reasons))]
    suite.add_testcase(valid)
    for gate in gates:
        suite.add_testcase(_case(run, gate))
    document = JUnitXml(run.campaign["name"])
    document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    document.write(str(path), pretty=True)


def _case(run: Run, gate: Gate) -> TestCase:
    case = TestCase(f"{gate.name} {gate.configuration}".strip(), classname=run.campaign["name"])
    if gate.passed:
        case.system_out = gate.said
    else:
        case.result = [Failure(gate.said)]
    return case
