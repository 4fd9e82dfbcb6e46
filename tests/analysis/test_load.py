"""Whether anything limits at all: what fell due while it was measured counts, not what the plan means on average."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.bottleneck import Status, verdict
from analysis.finding import Bearing
from analysis.load import load
from loadgen.record import Run
from tests.loadgen.synthetic import MEASURED_S, write_run


@pytest.mark.parametrize(
    ("planned_per_s", "unsent_per_s", "status"),
    [(130.0, 0, Bearing.SUSPECTED), (70.0, 0, Bearing.SUSPECTED), (100.0, 4, Bearing.CLEARED)],
)
def test_an_open_loop_is_carried_where_what_fell_due_was_answered(
    tmp_path: Path, planned_per_s: float, unsent_per_s: int, status: Bearing
) -> None:
    unsent = {"unsent": unsent_per_s * MEASURED_S}
    run = Run.open(write_run(tmp_path, {1: 100}, errors=unsent, planned_per_s=planned_per_s))
    assert [finding.status for finding in load(run)] == [status]


def test_a_recorded_cancel_of_an_order_that_this_book_does_not_know_was_never_offered(tmp_path: Path) -> None:
    unplayable = 40 * MEASURED_S
    write_run(tmp_path, {1: 100}, errors={"unplayable": unplayable}, planned_per_s=140.0)
    (finding,) = load(Run.open(Run.newest(tmp_path)))
    assert finding.status is Bearing.SUSPECTED
    assert "of 100 requests/s offered" in finding.claim


def test_where_it_is_unclear_what_limits_an_open_loop_the_verdict_says_how_much_was_carried(tmp_path: Path) -> None:
    run = Run.open(write_run(tmp_path, {1: 100}, errors={"unsent": 4 * MEASURED_S}, planned_per_s=104.0))
    found = verdict(run)
    assert found.status is Status.UNCLEAR
    assert "; 96.3 % of 104 requests/s offered were carried, p99" in found.sentence
