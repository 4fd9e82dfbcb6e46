"""The boards of a sealed run: one page that needs nothing else, with what the run's own samples say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dashboards import sealed
from dashboards.catalogue import BOARDS, BY_NAME
from dashboards.photos import CHROMIUM
from dashboards.queries import Sources, Span
from dashboards.verify import verify
from loadgen.record import Run
from tests.dashboards.conftest import GOLDEN


@pytest.fixture(scope="module")
def boards_html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copied = tmp_path_factory.mktemp("runs") / GOLDEN.name
    shutil.copytree(GOLDEN, copied)
    return sealed.write(copied)


def test_the_series_of_a_run_are_asked_with_the_boards_own_queries(sources: Sources, span: Span, run: Run) -> None:
    panel = next(panel for panel in BY_NAME["order_path"].panels if panel.title == "Event loop lag")
    shown = {line.name: line.values for line in sources.lines(panel, span, {"instance": ".*"})}
    raw = run.series("gateway_event_loop_lag_seconds")
    assert set(shown) == set(raw["instance"])
    for instance, values in shown.items():
        assert {value for value in values if value is not None} <= set(raw[raw["instance"] == instance]["value"])


def test_a_snapshot_needs_nothing_outside_itself(boards_html: Path) -> None:
    text = boards_html.read_text()
    assert re.findall(r"""(?:src|href)\s*=\s*["'](?!#)[^"']+|@import|url\(|https?://(?!127)""", text) == []
    assert "own rendering of its boards, not Grafana" in text


def test_a_snapshot_holds_every_board_over_the_whole_run_and_every_window(boards_html: Path, run: Run) -> None:
    document = embedded(boards_html)
    spans = {sealed.WHOLE, *(window.name for window in run.windows)}
    assert {span["name"] for span in document["spans"]} == spans
    for board in BOARDS:
        answers = document["answers"][board.name]
        assert {f"{span}|" for span in spans} <= set(answers)
        assert all(len(answer["panels"]) == len(board.panels) for answer in answers.values())


def test_a_chosen_instance_shows_its_own_series_alone(boards_html: Path) -> None:
    answers = embedded(boards_html)["answers"]["order_path"]
    loops = [panel["title"] for panel in embedded(boards_html)["boards"][1]["panels"]].index("Event loop lag")
    shown = answers[f"{sealed.WHOLE}|instance=gateway-1"]["panels"][loops]["series"]
    assert [line["name"] for line in shown] == ["gateway-1"]


@pytest.mark.parametrize("board", ["overview", "order_path"])
def test_a_browser_draws_every_kind_of_panel_of_the_snapshot(boards_html: Path, board: str, tmp_path: Path) -> None:
    place = f"file://{boards_html}#board={board}"
    done = subprocess.run(
        [*CHROMIUM, f"--user-data-dir={tmp_path}", "--dump-dom", place],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    wanted = next(found for found in BOARDS if found.name == board)
    assert re.findall(r"<h2[^>]*>([^<]+)</h2>", done.stdout) == [
        panel.title.replace("&", "&amp;") for panel in wanted.panels
    ]
    has_series = any(
        panel.get("series") for panel in embedded(boards_html)["answers"][board][f"{sealed.WHOLE}|"]["panels"]
    )
    assert ("<canvas" in done.stdout) == has_series


def test_a_run_whose_series_promtool_refuses_is_an_error_that_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "write_openmetrics", lambda _, file: file.write("not metrics"))
    with pytest.raises(sealed.SnapshotError, match="promtool refused"), sealed.prometheus_of(run):
        pass


def test_every_board_of_the_golden_run_answers_where_its_signals_were_recorded(sources: Sources, span: Span) -> None:
    """Logs are not kept, and some signals are younger than the run."""
    failed = verify(BOARDS, sources, span).failed
    assert [failure for failure in failed if not failure.reason.startswith(("empty", "no "))] == []


def embedded(path: Path) -> Any:
    found = re.search(r'<script id="boards" type="application/json">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found
    return json.loads(found[1])
