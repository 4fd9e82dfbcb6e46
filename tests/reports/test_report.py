"""The report says what the run holds, first things first, in one file that needs nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from analysis.bottleneck import verdict
from loadgen.manifest import sha256_of
from loadgen.record import Invalidity, Run
from reports.closing import closing_lines, configurations
from reports.content import content
from reports.html import render
from reports.report import write
from tests.analysis.runs import gateway_bound
from tests.loadgen import synthetic
from tests.loadgen.synthetic import START_NS, write_run

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """Text in reading order; complains of tags that do not close, of ids given twice and of anything to be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.faults: list[str] = []
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script" or any(str(given.get(name, "")).startswith("http") for name in ("src", "href")):
            self.faults.append(f"{tag} {given}")
        if given.get("id") in self.ids:
            self.faults.append(f"id {given['id']} twice")
        self.ids |= {given["id"]} if given.get("id") else set()

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def page(run: Run) -> Page:
    return Page(write(run.path).read_text())


@pytest.fixture(scope="module")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A gateway-bound run with its report beside it."""
    run = gateway_bound(tmp_path_factory.mktemp("standard"), reconciliation={"acknowledged": 6750})
    write(run.path)
    return run


def written(run: Run, name: str = "report.html") -> Path:
    return run.path.with_name(f"{run.id}.report") / name


def test_the_page_is_whole_and_fetches_nothing(standard: Run) -> None:
    shown = Page(written(standard).read_text())
    assert (shown.faults, shown.open) == ([], [])


def test_the_verdict_comes_before_every_figure(standard: Run) -> None:
    text = Page(written(standard).read_text()).text
    places = [verdict(standard).sentence, "4 gateways 380", "0 lost", "How busy each component is"]
    assert sorted(places, key=text.index) == places


def test_writing_a_report_again_gives_the_same_and_leaves_the_sealed_run_as_it_was(standard: Run) -> None:
    sealed = {path.name: sha256_of(path) for path in standard.path.iterdir()}
    first = written(standard).read_text()
    assert write(standard.path) == written(standard)
    assert written(standard).read_text() == first
    assert {path.name: sha256_of(path) for path in standard.path.iterdir()} == sealed


def test_report_json_holds_every_documented_key_and_no_other(standard: Run) -> None:
    data = json.loads(written(standard, "report.json").read_text())
    reference = (Path(__file__).parents[2] / "docs" / "reference" / "report.md").read_text().split("## report.json")[1]
    named = set(re.findall(r"`([a-z0-9_]+)`", reference))
    assert set(data) <= named
    assert set(data["configurations"][0]) <= named
    rows = re.findall(r"^\| (`.+?) \|", reference, flags=re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([a-z0-9_]+)`", row)} == set(data)


def test_an_invalid_run_says_so_first_and_accuses_nobody(tmp_path: Path) -> None:
    reason = Invalidity("gateways=4/1", "generator", "The generator used 93 % of its CPU")
    shown = page(gateway_bound(tmp_path, reasons=[reason]))
    assert shown.text.index("Invalid run") < shown.text.index("The generator used 93 %") < shown.text.index("orders/s")
    assert "of the gateways" not in shown.text
    assert shown.faults == []


def test_a_lost_order_is_said_on_the_first_screen(tmp_path: Path) -> None:
    run = gateway_bound(tmp_path, reconciliation={"acknowledged": 6750, "lost": 2, "holes": 1})
    text = page(run).text
    assert "Not reconciled: 2 lost, 1 holes of 6,750 acknowledged" in text
    assert closing_lines(run, verdict(run), Path("r"))[2].startswith("Not reconciled: 2 lost")


def test_a_text_from_outside_cannot_become_markup(tmp_path: Path) -> None:
    shown = page(gateway_bound(tmp_path, errors={"<script>alert(1)</script>": 3}))
    assert shown.faults == []
    assert "<script>alert(1)</script>" in shown.text


def test_what_happened_to_the_cluster_is_told_with_its_time(tmp_path: Path) -> None:
    died = {
        "t_ns": START_NS + 6 * 10**9, "part": "gateway-1", "kind": "died", "said": "killed by signal 9",
        "log_end": "the last line",
    }  # fmt: skip
    run = gateway_bound(tmp_path, events=[died])
    text = page(run).text
    assert text.index("gateway-1 died at 08:15:06, killed by signal 9") < text.index("Configuration")
    assert closing_lines(run, verdict(run), Path("r"))[2].startswith("gateway-1 died during the run; ")
    assert "08:15:06 gateway-1 died: killed by signal 9 the end of its log the last line" in text
    panels = json.loads(write(run.path).with_name("report.json").read_text())["timeline"]
    assert panels[0]["events"] == [{"second": 4.0, "what": "gateway-1 died"}]


@pytest.mark.parametrize(
    ("run_of", "absent"),
    [
        ({"orders_per_s": {1: 0}, "errors": {"refused": 9}}, "Throughput against"),
        ({"orders_per_s": {2: 100, 4: 150}}, "seed document"),
        ({"orders_per_s": {1: 100}}, "Throughput against"),
    ],
)
def test_a_run_without_something_is_reported_without_it(tmp_path: Path, run_of: dict[str, Any], absent: str) -> None:
    shown = page(Run.open(write_run(tmp_path, **run_of)))
    assert absent not in shown.text
    assert shown.faults == []


def test_what_was_never_answered_has_no_latency(tmp_path: Path) -> None:
    run = Run.open(write_run(tmp_path, {1: 0, 2: 10}, errors={"refused": 9}))
    assert [row["p99_ms"] is None for row in configurations(run)] == [True, False]
    assert closing_lines(run, verdict(run), Path("r"))[1].startswith("1 gateway: no order was answered | 2 gateways: ")


def test_the_load_is_told_of_all_configurations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep of the rate."""
    run = Run.open(write_run(tmp_path, {450: 20, 2000: 20}, swept="load.arrivals.rate_per_s", planned_per_s=1.0))
    swept = [replace(each, rate_per_s=each.parameters["load.arrivals.rate_per_s"]) for each in run.windows]
    monkeypatch.setitem(run.__dict__, "windows", tuple(swept))
    shown = Page(render(content(run, verdict(run))))
    assert "open loop, 450 to 2,000 requests/s; 1 repetition of 10 s measured" in shown.text


def test_the_figures_for_programs_are_those_of_the_report(standard: Run) -> None:
    reported = json.loads(written(standard, "report.json").read_text())["configurations"]
    brief = configurations(standard)
    assert [row["gateways"] for row in brief] == [1, 2, 4]
    assert [row["orders_per_s"] for row in brief] == [row["orders_per_s"]["value"] for row in reported]
    assert [row["p99_ms"] for row in brief] == [round(row["latency_ms"]["p99"], 3) for row in reported]


def test_five_lines_close_the_demo(standard: Run) -> None:
    lines = closing_lines(standard, verdict(standard), Path("runs/x.report/report.html"))
    assert len(lines) == 5
    assert all("\n" not in line for line in lines)
    assert lines[0] == verdict(standard).sentence
    assert re.search(r"4 gateways: 380 orders/s, p50 \d+\.\d ms, p99 \d+\.\d ms", lines[1])
    assert lines[2].startswith("6,750 acknowledged, 0 lost")
    assert lines[3] == "Report: runs/x.report/report.html"
    assert lines[4].startswith("Next: ")


def test_the_page_links_to_the_boards_of_the_run_and_of_each_window(standard: Run) -> None:
    text = write(standard.path).read_text()
    assert 'href="boards.html"' in text
    spans = [unquote(span) for span in re.findall(r'href="boards.html#board=overview&amp;span=([^"]+)"', text)]
    assert spans == [window.name for window in standard.windows]


def test_what_grew_is_a_section_and_a_leak_stands_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "MEASURED_S", 120)
    leak = synthetic.Series("cluster_memory_bytes", "gateway", lambda _, s: 8e7 + 2e5 * s, "gateway-1")
    page = write(write_run(tmp_path, {1: 5}, series=[leak])).read_text()
    assert "The memory of gateway-1 grew: +23" in page
    assert "The median latency did not drift" in page


def test_a_missed_gate_is_on_the_page(tmp_path: Path) -> None:
    page = write(write_run(tmp_path, {1: 20}, gates={"p99_ms": 0.5})).read_text()
    assert "at most 0.5 ms" in page


def test_what_became_of_a_fault_is_on_the_page(tmp_path: Path) -> None:
    def event(at_s: float, kind: str, said: str) -> dict[str, Any]:
        return {"t_ns": START_NS + round(at_s * 1e9), "kind": kind, "part": "gateway-1", "said": said, "log_end": ""}

    events = [event(5, "struck", "kill"), event(6.1, "fired", "GatewayDown"), event(6.4, "paged", "GatewayDown")]
    text = page(gateway_bound(tmp_path, events=events)).text
    assert "gateway-1: kill" in text
    assert "GatewayDown 1.1 1.4" in text
