"""Several runs on one page: the same configurations beside each other, whole and without anything to fetch."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.bottleneck import verdict
from reports.comparison import comparison, write
from reports.content import content
from reports.pdf import PdfError, printed
from tests.analysis.runs import gateway_bound
from tests.reports.test_report import Page


def test_runs_stand_beside_each_other_by_configuration_with_the_ratio_to_the_first(tmp_path: Path) -> None:
    runs = [gateway_bound(tmp_path, run_id="one"), gateway_bound(tmp_path, run_id="two", orders_per_s={1: 100, 4: 190})]
    data = comparison(runs)
    rows = [(row["label"], row["mark"], row["ratio"]) for row in data["rows"]]
    assert rows[:2] == [("1 gateway", "A", 1.0), ("1 gateway", "B", 1.0)]
    assert rows[-1] == ("4 gateways", "B", pytest.approx(0.5))
    assert data["sentence"] == "Most was carried in run A: 380 orders/s with 4 gateways."
    shown = Page(write(runs, tmp_path / "page.html").read_text())
    assert (shown.faults, shown.open) == ([], [])


def test_of_more_runs_than_letters_none_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = gateway_bound(tmp_path, orders_per_s={1: 10})
    told = content(run, verdict(run))
    monkeypatch.setattr("reports.comparison.content", lambda *_: told)
    data = comparison([run] * 28)
    assert [row["mark"] for row in data["rows"]] == [each["mark"] for each in data["runs"]]
    assert [each["mark"] for each in data["runs"]][25:] == ["Z", "AA", "AB"]


def test_without_a_browser_a_pdf_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PdfError, match="apt-get install chromium"):
        printed(Path("page.html"))
