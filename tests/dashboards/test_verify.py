"""`lab boards verify` finds a query that is broken, empty or shown in a wrong unit, and says where."""

from __future__ import annotations

from dataclasses import replace

from dashboards.model import Board, Kind, Panel, Query, Variable
from dashboards.queries import Sources, Span
from dashboards.verify import Failure, verify

GOOD = Panel("Good", Kind.LINES, "bool", (Query("up", "{{instance}}"),), "Whether it is up.", "Start it.")


def board(*panels: Panel, variables: tuple[Variable, ...] = ()) -> Board:
    return Board("planted", "Planted", "For a test.", panels, variables)


def test_a_board_whose_queries_all_answer_passes(sources: Sources, span: Span) -> None:
    variable = Variable("instance", "Part", "up", "instance")
    verdict = verify([board(GOOD, variables=(variable,))], sources, span)
    assert verdict.document() == {"boards": 1, "queries": 2, "failed": []}


def test_a_query_broken_on_purpose_is_reported_with_board_panel_and_reason(sources: Sources, span: Span) -> None:
    broken = replace(GOOD, title="Broken", queries=(Query("sum(rate(up[4s])"),))
    failed = verify([board(GOOD, broken)], sources, span).failed
    assert [(failure.board, failure.panel) for failure in failed] == [("planted", "Broken")]
    assert "parse error" in failed[0].reason


def test_a_query_that_no_series_answers_is_reported_as_empty(sources: Sources, span: Span) -> None:
    empty = replace(GOOD, title="Empty", queries=(Query('up{instance="nobody"}'),))
    assert [failure.reason for failure in verify([board(empty)], sources, span).failed] == [
        "empty: no series has a value"
    ]


def test_a_unit_that_contradicts_its_signal_is_reported(sources: Sources, span: Span) -> None:
    wrong = replace(GOOD, title="Wrong", unit="seconds")
    assert verify([board(wrong)], sources, span).failed == (
        Failure("planted", "Wrong", "up", "unit is seconds, the query gives a plain number"),
    )


def test_a_variable_without_values_is_reported(sources: Sources, span: Span) -> None:
    nothing = Variable("symbol", "Symbol", "up", "symbol")
    failed = verify([board(GOOD, variables=(nothing,))], sources, span).failed
    assert [(failure.panel, failure.reason) for failure in failed] == [("$symbol", "no values")]
