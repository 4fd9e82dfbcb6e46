"""An order's story: its steps in order, the critical path, and how it is found and drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.story import SLOWEST, story
from loadgen.manifest import RunError
from loadgen.record import Run
from reports.waterfall import waterfall
from tests.loadgen.synthetic import write_run

MS = 1_000_000


def span(name: str, start_ms: int, end_ms: int, parent: str = "", trace: str = "a" * 32, **attributes: Any) -> Any:
    return {
        "window": "gateways=1/1", "trace_id": trace, "span_id": f"{name}/{trace}", "name": name,
        "parent_id": f"{parent}/{trace}" if parent else "", "component": "gateway", "instance": "gateway-1",
        "start_ns": start_ms * MS, "end_ns": end_ms * MS, "attributes": json.dumps(attributes),
    }  # fmt: skip


SPANS = [
    span("client", 0, 100),
    span("order", 10, 90, "client", account=1, client_order_id="c-1", order_id=7),
    span("engine", 20, 40, "order"),
    span("engine.matched", 25, 30, "engine"),
    span("ledger", 40, 80, "order"),
    span("order", 0, 5, trace="b" * 32, account=1, client_order_id="c-2", order_id=8),
]
LINE = {
    "window": "gateways=1/1", "t_ns": 1, "component": "gateway", "instance": "gateway-1", "trace_id": "a" * 32,
    "line": '{"event":"order"}',
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run.open(write_run(tmp_path_factory.mktemp("runs"), {1: 10}, spans=SPANS, log_lines=[LINE]))


@pytest.mark.parametrize("named", ["7", "c-1", "a" * 32, SLOWEST])
def test_an_order_is_found_by_any_of_its_names(run: Run, named: str) -> None:
    assert story(run, named).order["order_id"] == 7


def test_the_critical_path_gives_every_moment_to_one_step(run: Run) -> None:
    told = story(run, "7")
    own = {step.name: step.critical_ns // MS for step in told.steps}
    assert own == {"client": 20, "order": 20, "engine": 15, "engine.matched": 5, "ledger": 40}
    assert sum(step.critical_ns for step in told.steps) == told.duration_ns


def test_steps_come_in_their_order_below_what_they_are_part_of(run: Run) -> None:
    steps = [(step.depth, step.name) for step in story(run, "7").steps]
    assert steps == [(0, "client"), (1, "order"), (2, "engine"), (3, "engine.matched"), (2, "ledger")]


def test_an_order_that_was_not_traced_is_said_so(run: Run) -> None:
    with pytest.raises(RunError, match="9 is none of its 2 traced orders"):
        story(run, "9")


def test_a_run_without_spans_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no spans"):
        story(Run.open(write_run(tmp_path, {1: 10})), SLOWEST)


def test_the_waterfall_draws_each_step_where_it_stood_and_ends_with_the_log(run: Run) -> None:
    lines = waterfall(story(run, "7"))
    ledger = next(line for line in lines if "ledger" in line)
    bar = ledger[-(24 + 24) :]
    assert (ledger.split()[2:5], bar.strip()) == (["40.00", "40.00", "40.00"], "█" * 24)
    assert lines[-1] == '{"event":"order"}'
