"""Boards hold the house's rules, and their units are those that the register of signals gives their queries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards import grafana
from dashboards.catalogue import BOARDS
from dashboards.model import PANELS_MAX, Board, Kind, Panel, Query, placed
from dashboards.panels import latency, level, rate
from dashboards.units import contradiction
from dashboards.verify import unit_faults

BY_NAME = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)


@BY_NAME
def test_a_board_has_at_most_twelve_panels_that_do_not_overlap(board: Board) -> None:
    cells = [
        (x, y)
        for _, place in placed(board)
        for x in range(place.x, place.x + place.width)
        for y in range(place.y, place.y + place.height)
    ]
    assert len(board.panels) <= PANELS_MAX
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@BY_NAME
def test_every_panel_says_what_it_shows_and_what_to_do(board: Board) -> None:
    assert [panel.title for panel in board.panels if not (panel.title and panel.meaning and panel.red)] == []
    assert len({panel.title for panel in board.panels}) == len(board.panels)


@BY_NAME
def test_no_unit_contradicts_the_signals_of_its_query(board: Board) -> None:
    assert list(unit_faults(board)) == []


@pytest.mark.parametrize(
    ("expr", "unit", "said"),
    [
        ("sum(rate(cluster_cpu_seconds_total[4s]))", "seconds", "the query gives a plain number"),
        ("sum(cluster_memory_bytes)", "seconds", "the query gives bytes"),
        ("sum(rate(engine_trades_total[4s]))", "orders/s", "trades"),
        ("histogram_quantile(0.5, sum by (le) (rate(gateway_stage_seconds_bucket[4s])))", "share", "gives seconds"),
        ("100 - haproxy_process_idle_time_percent", "share", "gives percent"),
        ("sum(cluster_memory_bytes) + sum(node_load1)", "bytes", "puts together bytes and"),
        ("sum(rate(gateway_nonsense_total[4s]))", "orders/s", "which target_system/signals does not declare"),
        ("sum(rate(engine_trades_total[4s]", "trades/s", "is no PromQL"),
        ("sgn(node_load1)", "tasks", "whose unit the lab does not know"),
    ],
)
def test_a_unit_that_contradicts_its_query_is_said(expr: str, unit: str, said: str) -> None:
    assert said in contradiction(expr, unit)


@pytest.mark.parametrize(
    ("expr", "unit"),
    [
        ("sum(rate(cluster_cpu_seconds_total[4s]))", "cores"),
        ("sum(rate(pg_wal_bytes[4s]))", "bytes/s"),
        ("sum(rate(gateway_stage_seconds_sum[4s])) / sum(rate(gateway_stage_seconds_count[4s]))", "seconds"),
        ("sum(rate(gateway_stage_seconds_sum[4s])) / sum(rate(gateway_request_seconds_count[4s]))", "seconds"),
        ("(sum(engine_queue_depth_commands) or vector(0)) / 10", "share"),
        ('{__name__=~"up|pg_up"}', "bool"),
    ],
)
def test_a_unit_that_fits_its_query_passes(expr: str, unit: str) -> None:
    assert contradiction(expr, unit) == ""


@pytest.mark.parametrize("make", [latency, level, rate], ids=lambda make: make.__name__)
def test_a_panel_for_another_type_of_signal_is_refused(make: Any) -> None:
    wrong = {"latency": "up", "level": "engine_trades_total", "rate": "up"}[make.__name__]
    with pytest.raises(ValueError, match=f"{wrong} is a"):
        make(wrong, "nothing")


@BY_NAME
def test_grafanas_schema_reads_every_board_back_unchanged(board: Board) -> None:
    document = json.loads(grafana.text_of(board))
    assert [panel["title"] for panel in document["panels"]] == [panel.title for panel in board.panels]
    exprs = [target["expr"] for panel in document["panels"] for target in panel["targets"]]
    assert exprs == [query.expr for panel in board.panels for query in panel.queries]


@pytest.mark.parametrize(
    "path",
    [
        ("templateing",),
        ("panels", 0, "titel"),
        ("panels", 0, "options", "colorModee"),
        ("panels", 0, "targets", 0, "exprr"),
        ("panels", 6, "fieldConfig", "defaults", "custom", "fillOpacityy"),
    ],
)
def test_a_misspelt_key_is_found_by_grafanas_schema(path: tuple[Any, ...]) -> None:
    document = json.loads(grafana.text_of(BOARDS[0]))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = "x"
    found = grafana.differences(document, grafana.read_back(json.dumps(document)))
    assert [line for line in found if line.endswith(f"{path[-1]} is unknown")] == found
    assert found


def test_a_build_writes_every_board_and_what_provisions_them(tmp_path: Path) -> None:
    files = grafana.write(tmp_path)
    assert {path.name for path in files if path.suffix == ".json"} == {f"{board.uid}.json" for board in BOARDS}
    sources = yaml.safe_load((tmp_path / "provisioning/datasources/lab.yaml").read_text())["datasources"]
    used = {panel["datasource"]["uid"] for board in BOARDS for panel in json.loads(grafana.text_of(board))["panels"]}
    assert {source["uid"] for source in sources} == used
    destination = sources[0]["jsonData"]["exemplarTraceIdDestinations"][0]
    assert destination["url"] == "/d/lab-order-path?var-trace_id=$${__value.raw}"
    providers = yaml.safe_load((tmp_path / "provisioning/dashboards/lab.yaml").read_text())["providers"]
    assert providers[0]["options"]["path"] == "$LAB_BOARDS"


def test_a_query_may_not_be_added_to_a_board_without_its_unit_being_known() -> None:
    panel = Panel("Odd", Kind.LINES, "bytes", (Query("sum(node_load1)"),), "Odd.", "Mend it.")
    found = list(unit_faults(Board("odd", "Odd", "Odd.", (panel,))))
    assert [(failure.panel, failure.reason) for failure in found] == [
        ("Odd", "unit is bytes, the query gives tasks"),
    ]
