"""Asks a live Prometheus and Loki every question of every board: an error, silence, or a wrong unit is a failure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dashboards.model import Board, Kind, Panel, Query
from dashboards.queries import QueryError, Sources, Span, everything, filled, is_of_logs
from dashboards.units import contradiction

LOGS_S = 6 * 3600
"""A part that has nothing to complain of wrote its last line when it started."""


@dataclass(frozen=True, slots=True)
class Failure:
    board: str
    panel: str
    """Or the variable, with a $ before its name."""
    query: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    boards: int
    queries: int
    failed: tuple[Failure, ...]

    def document(self) -> dict[str, Any]:
        return {"boards": self.boards, "queries": self.queries, "failed": [asdict(failure) for failure in self.failed]}


def verify(boards: Sequence[Board], sources: Sources, span: Span) -> Verdict:
    """Every query of every panel and variable, over a span in which the cluster was loaded."""
    asked = [(board, panel, query) for board in boards for panel in board.panels for query in panel.queries]
    failed = [
        Failure(board.name, panel.title, query.expr, reason)
        for board, panel, query in asked
        if (reason := _fault(board, panel, query, sources, span))
    ]
    variables = [(board, variable) for board in boards for variable in board.variables if variable.metric]
    for board, variable in variables:
        try:
            reason = "" if sources.values(variable, span) else "no values"
        except QueryError as error:
            reason = str(error)
        if reason:
            failed.append(Failure(board.name, f"${variable.name}", f"{variable.metric} by {variable.label}", reason))
    return Verdict(len(boards), len(asked) + len(variables), tuple(failed))


def unit_faults(board: Board) -> Iterator[Failure]:
    """Panels whose unit contradicts the register: this needs no server."""
    for panel in board.panels:
        for query in panel.queries:
            if reason := _unit_fault(board, panel, query, Span(0, 1)):
                yield Failure(board.name, panel.title, query.expr, reason)


def _fault(board: Board, panel: Panel, query: Query, sources: Sources, span: Span) -> str:
    choice = everything(board)
    try:
        if is_of_logs(panel):
            long = Span(span.until_s - LOGS_S, span.until_s)
            return "" if sources.logs(query, long, choice) else "no lines"
        answered = list(sources.series(query, 0, span, choice))
    except QueryError as error:
        return str(error)
    return _unit_fault(board, panel, query, span) or ("" if answered else "empty: no series has a value")


def _unit_fault(board: Board, panel: Panel, query: Query, span: Span) -> str:
    if is_of_logs(panel):
        return ""
    return contradiction(filled(query.expr, span, everything(board)), panel.unit, panel.kind is Kind.HEATMAP)
