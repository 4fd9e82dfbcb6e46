"""The lab's own rendering of the boards: the same panels, queries, units and layout as Grafana's, in one page of HTML.

The page holds everything it needs. Sealed, it also holds the answers to every query; live, it asks its server.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboards.catalogue import ANNOTATIONS, BOARDS
from dashboards.model import Board, Panel, placed
from dashboards.queries import Choice, Mark, QueryError, Sources, Span, everything, is_of_logs

TEMPLATES = Path(__file__).parent / "templates"
DIGITS = 4
NOTE = "Drawn by the lab itself: its own rendering of its boards, not Grafana."


def html(title: str, document: Mapping[str, Any], note: str = NOTE) -> str:
    """`document`: mode (sealed or live), spans, boards and, where it is sealed, answers."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return environment.get_template("boards.html.j2").render(
        title=title,
        note=note,
        style=Markup((TEMPLATES / "boards.css").read_text()),
        document=Markup(text.replace("<", "\\u003c")),
        scripts=[Markup((TEMPLATES / f"{name}.js").read_text()) for name in ("units", "plot", "boards")],
    )


def still(
    sources: Sources, spans: Mapping[str, Span], marks: Sequence[Mark] = (), boards: Sequence[Board] = BOARDS
) -> dict[str, Any]:
    """A document that needs no server: every board over each span, and each choice over the first, the widest."""
    widest, span = next(iter(spans.items()))
    values = values_of(sources, span)
    answers: dict[str, dict[str, Any]] = {}
    for board in boards:
        seen = {f"{name}|": answer(board, sources, each, {}, marks) for name, each in spans.items()}
        for variable in board.variables:
            for value in values.get((board.name, variable.name), ()):
                key = f"{widest}|{variable.name}={value}"
                seen[key] = answer(board, sources, span, {variable.name: value}, marks)
        answers[board.name] = seen
    named = [{"name": name, "from": span.from_s, "until": span.until_s} for name, span in spans.items()]
    return {"mode": "sealed", "spans": named, "boards": layouts(values, boards), "answers": answers}


def layouts(values: Mapping[tuple[str, str], list[str]], boards: Sequence[Board] = BOARDS) -> list[dict[str, Any]]:
    """The boards as the page wants it; `values`: (board, variable) → what may be chosen."""
    return [
        {
            "name": board.name, "title": board.title, "purpose": board.purpose,
            "variables": [
                {"name": v.name, "title": v.title, "values": values.get((board.name, v.name), []) if v.metric else None}
                for v in board.variables
            ],
            "panels": [
                {
                    "title": panel.title, "kind": panel.kind, "unit": panel.unit, "description": panel.description,
                    "thresholds": [asdict(threshold) for threshold in panel.thresholds], **asdict(place),
                }
                for panel, place in placed(board)
            ],
        }
        for board in boards
    ]  # fmt: skip


def values_of(sources: Sources, span: Span) -> dict[tuple[str, str], list[str]]:
    return {
        (board.name, variable.name): sources.values(variable, span)
        for board in BOARDS
        for variable in board.variables
        if variable.metric
    }


def answer(
    board: Board, sources: Sources, span: Span, choice: Choice, more_marks: Iterable[Mark] = ()
) -> dict[str, Any]:
    """What every panel of the board shows over the span, as the page wants it."""
    chosen = everything(board) | dict(choice)
    marks = [*more_marks, *(mark for annotation in ANNOTATIONS for mark in sources.marks(annotation, span))]
    return {
        "from": span.start_s,
        "step": span.step_s,
        "count": span.count,
        "panels": [_panel(panel, sources, span, chosen) for panel in board.panels],
        "marks": [{"from": m.from_s, "until": m.until_s, "text": m.text, "colour": m.colour} for m in marks],
    }


def _panel(panel: Panel, sources: Sources, span: Span, choice: Choice) -> dict[str, Any]:
    try:
        if is_of_logs(panel):
            lines = [line for query in panel.queries for line in sources.logs(query, span, choice)]
            return {"logs": [{"t": line.t_s, "source": line.source, "text": line.text} for line in lines]}
        series = [
            {
                "name": line.name,
                "colour": panel.queries[line.query].colour,
                "values": [_rounded(v) for v in line.values],
            }
            for line in sources.lines(panel, span, choice)
        ]
    except QueryError as error:
        return {"error": str(error), "series": [], "logs": []}
    return {"series": series}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
