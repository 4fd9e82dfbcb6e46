"""Every run in the folder is listed with what it is worth, a broken one too."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgen.record import Invalidity
from reports.listing import listed
from reports.report import write
from tests.loadgen.synthetic import write_run


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({}, "valid"),
        ({"reasons": [Invalidity("gateways=1/1", "machine", "stolen")]}, "invalid"),
        ({"status": "aborted"}, "aborted"),
        ({"reconciliation": {"lost": 1}}, "not reconciled"),
    ],
)
def test_a_run_is_listed_with_its_state(tmp_path: Path, given: dict[str, object], state: str) -> None:
    write_run(tmp_path, {1: 50}, **given)  # type: ignore[arg-type]
    (found,) = listed(tmp_path)
    assert (found.campaign, found.started, found.state) == ("synthetic", "2026-11-21T08:15:00+00:00", state)


def test_the_verdict_is_the_reports(tmp_path: Path) -> None:
    path = write_run(tmp_path, {1: 50})
    assert listed(tmp_path)[0].verdict == "–"
    write(path)
    assert listed(tmp_path)[0].verdict == "unclear"


def test_a_damaged_run_is_listed_as_damaged(tmp_path: Path) -> None:
    with (write_run(tmp_path, {1: 50}) / "acks.parquet").open("ab") as file:
        file.write(b"x")
    assert [each.state for each in listed(tmp_path)] == ["damaged"]
