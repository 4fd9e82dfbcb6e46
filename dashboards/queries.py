"""Asks Prometheus and Loki what a panel shows: over one range, with variables filled in as Grafana does.

The one place that evaluates boards: the live page, the page of a sealed run and `lab boards verify` all use it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from dashboards.model import Annotation, Board, Kind, Panel, Query, Variable

DEADLINE_S = 10.0
POINTS_MAX = 180
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
LINES_MAX = 200
ALL = ".*"
ANY_TEXT = ".+"
MARKS_MAX = 100


class QueryError(Exception):
    """A server did not answer a query, or refused it; the text says what it said."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of time and the raster on which it is asked for."""

    from_s: float
    until_s: float
    scrape_s: float = 1.0

    @property
    def step_s(self) -> int:
        wanted = max((self.until_s - self.from_s) / POINTS_MAX, self.scrape_s)
        return next((step for step in STEPS_S if step >= wanted), STEPS_S[-1])

    @property
    def start_s(self) -> int:
        """Its first moment on the raster."""
        return math.ceil(self.from_s / self.step_s) * self.step_s

    @property
    def count(self) -> int:
        return max(int((self.until_s - self.start_s) // self.step_s) + 1, 1)

    @property
    def rate_interval_s(self) -> float:
        """As Grafana has it, so that a rate never has too few scrapes."""
        return max(self.step_s + self.scrape_s, 4 * self.scrape_s)


@dataclass(frozen=True, slots=True)
class Line:
    """A series on the raster of its span; None where it has no value."""

    name: str
    values: tuple[float | None, ...]
    query: int


@dataclass(frozen=True, slots=True)
class LogLine:
    t_s: float
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    from_s: float
    until_s: float
    text: str
    colour: str


Choice = Mapping[str, str]
"""Variable → what was chosen, a regular expression."""


class Sources:
    """Where the data is. `loki` may be absent: logs then have no lines."""

    def __init__(self, prometheus: str, loki: str | None) -> None:
        self._prometheus = httpx.Client(base_url=f"http://{prometheus}", timeout=DEADLINE_S, trust_env=False)
        self._loki = httpx.Client(base_url=f"http://{loki}", timeout=DEADLINE_S, trust_env=False) if loki else None

    def __enter__(self) -> Sources:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._prometheus.close()
        if self._loki:
            self._loki.close()

    def lines(self, panel: Panel, span: Span, choice: Choice) -> list[Line]:
        """The series of a panel that is not one of logs."""
        return [line for number, query in enumerate(panel.queries) for line in self.series(query, number, span, choice)]

    def series(self, query: Query, number: int, span: Span, choice: Choice) -> Iterator[Line]:
        for found in self._range(filled(query.expr, span, choice), span):
            values = on_raster(found["values"], span)
            if any(value is not None for value in values):
                yield Line(named(query.legend, found["metric"]), values, number)

    def logs(self, query: Query, span: Span, choice: Choice) -> list[LogLine]:
        """The latest lines of the span, newest first."""
        if self._loki is None:
            return []
        asked = {
            "query": filled(query.expr, span, choice), "start": int(span.from_s * 1e9), "end": int(span.until_s * 1e9),
            "limit": LINES_MAX, "direction": "backward",
        }  # fmt: skip
        data = _ask(self._loki, "/loki/api/v1/query_range", asked)
        found = [
            LogLine(int(t_ns) / 1e9, stream["stream"].get("service_instance_id", ""), text)
            for stream in data["result"]
            for t_ns, text in stream["values"]
        ]
        return sorted(found, key=lambda line: line.t_s, reverse=True)[:LINES_MAX]

    def values(self, variable: Variable, span: Span) -> list[str]:
        """What may be chosen, in order."""
        asked = {"match[]": variable.metric, "start": f"{span.from_s:.3f}", "end": f"{span.until_s:.3f}"}
        found: list[str] = _ask(self._prometheus, f"/api/v1/label/{variable.label}/values", asked)
        return sorted(found)

    def marks(self, annotation: Annotation, span: Span) -> list[Mark]:
        """A mark for every stretch in which the expression has a value."""
        found = []
        for series in self._range(filled(annotation.expr, span, {}), span):
            text = named(annotation.text, series["metric"])
            times = [float(t_s) for t_s, _ in series["values"]]
            found += [Mark(a, b + span.step_s, text, annotation.colour) for a, b in stretches(times, span.step_s)]
        return sorted(found, key=lambda mark: mark.from_s)[:MARKS_MAX]

    def _range(self, expr: str, span: Span) -> list[dict[str, Any]]:
        last = span.start_s + (span.count - 1) * span.step_s
        asked = {"query": expr, "start": span.start_s, "end": last, "step": span.step_s}
        result: list[dict[str, Any]] = _ask(self._prometheus, "/api/v1/query_range", asked)["result"]
        return result


def everything(board: Board) -> dict[str, str]:
    """The choice that leaves nothing out."""
    return {variable.name: ALL if variable.metric else ANY_TEXT for variable in board.variables}


def filled(expr: str, span: Span, choice: Choice) -> str:
    """With `$__rate_interval`, `$__range` and the variables replaced."""
    given = {
        "__rate_interval": f"{span.rate_interval_s:g}s",
        "__range": f"{max(round(span.until_s - span.from_s), 1)}s",
        **choice,
    }
    return re.sub(r"\$(\w+)", lambda match: given[match[1]] if match[1] in given else match[0], expr)


def named(legend: str, labels: Mapping[str, str]) -> str:
    """The legend with its labels; a value that has none of them stands for nothing in particular."""
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), legend).strip()
    return text or ("none" if legend else "")


def on_raster(samples: list[tuple[float, str]], span: Span) -> tuple[float | None, ...]:
    values: list[float | None] = [None] * span.count
    for t_s, text in samples:
        value = float(text)
        if math.isfinite(value):
            values[round((t_s - span.start_s) / span.step_s)] = value
    return tuple(values)


def stretches(times: list[float], step_s: float) -> Iterator[tuple[float, float]]:
    """First and last moment of each run without a gap."""
    first = last = None
    for t_s in times:
        if first is None or last is None or t_s - last > 1.5 * step_s:
            if first is not None and last is not None:
                yield first, last
            first = t_s
        last = t_s
    if first is not None and last is not None:
        yield first, last


def is_of_logs(panel: Panel) -> bool:
    return panel.kind is Kind.LOGS


def _ask(client: httpx.Client, path: str, asked: Mapping[str, Any]) -> Any:
    try:
        answer = client.get(path, params=dict(asked))
    except httpx.HTTPError as error:
        raise QueryError(f"{client.base_url} did not answer: {error!r}") from error
    try:
        document = answer.json()
    except ValueError:
        raise QueryError(answer.text.strip()[:300]) from None
    if document.get("status") != "success":
        raise QueryError(str(document.get("error", document))[:300])
    return document["data"]
