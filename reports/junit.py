"""A run as JUnit XML, the one form that every CI system reads: all that `lab run` has an exit code for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from analysis.gates import Gate, reconciled
from loadgen.record import Run


def write(run: Run, gates: Sequence[Gate], path: Path) -> None:
    """An invalid or aborted run is an error of the measurement; a broken promise, asked for as a gate or not, and a
    missed gate are failures of what was measured."""
    suite = TestSuite(run.id)
    suite.add_testcase(_errors(run, "valid run", [f"{reason.window}: {reason.sentence}" for reason in run.reasons]))
    suite.add_testcase(_errors(run, "complete", [] if run.status == "complete" else [f"the run was {run.status}"]))
    promise = reconciled(run)
    for gate in (promise, *(gate for gate in gates if gate != promise)):
        suite.add_testcase(_case(run, gate))
    document = JUnitXml(run.campaign["name"])
    document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    document.write(str(path), pretty=True)


def _errors(run: Run, name: str, said: Sequence[str]) -> TestCase:
    case = TestCase(name, classname=run.campaign["name"])
    if said:
        case.result = [Error("; ".join(said))]
    return case


def _case(run: Run, gate: Gate) -> TestCase:
    case = TestCase(f"{gate.name} {gate.configuration}".strip(), classname=run.campaign["name"])
    if gate.passed:
        case.system_out = gate.said
    else:
        case.result = [Failure(gate.said)]
    return case
