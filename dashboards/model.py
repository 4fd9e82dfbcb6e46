"""What a board is: values that know nothing of Grafana; `grafana.py` and `page.py` make something to see of them.

Units are those of the register: "seconds", "bytes", "orders", a noun per second, "share" (0 to 1), "cores", "percent".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

PANELS_MAX = 12
COLUMNS = 24


class Kind(StrEnum):
    LINES = "lines"
    STACK = "stack"
    CELLS = "cells"  # a row a series, a cell a moment, coloured by the thresholds
    HEATMAP = "heatmap"
    STAT = "stat"
    LOGS = "logs"


class Colour(StrEnum):
    """Okabe and Ito's, told apart with every kind of colour blindness; a component has the same one everywhere."""

    HAPROXY = "#56b4e9"
    GATEWAY = "#0072b2"
    ENGINE = "#d55e00"
    LEDGER = "#009e73"
    REDIS = "#cc79a7"
    GENERATOR = "#999999"
    LOOP = "#e69f00"
    GOOD = "#3c8f3c"
    WARN = "#e6b400"
    BAD = "#d03030"


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL or, in a panel of logs, LogQL of `components`. `legend` may name labels: {{instance}}."""

    expr: str
    legend: str = ""
    colour: Colour | None = None
    components: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Threshold:
    """From `value` on, the colour."""

    value: float
    colour: Colour


@dataclass(frozen=True, slots=True)
class Panel:
    """`red` says what to do when it is red, or out of the ordinary; the description ends with it."""

    title: str
    kind: Kind
    unit: str
    queries: tuple[Query, ...]
    meaning: str
    red: str
    thresholds: tuple[Threshold, ...] = ()
    max: float | None = None
    width: int = 8
    height: int = 8

    @property
    def description(self) -> str:
        return f"{self.meaning} {self.red}"


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice on top of a board: the values of `label` among the series of `metric`; text where there is no metric."""

    name: str
    title: str
    metric: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """A mark wherever `expr` has a value; `text` may name labels."""

    name: str
    expr: str
    text: str
    colour: Colour


@dataclass(frozen=True, slots=True)
class Board:
    name: str
    title: str
    purpose: str
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...] = ()

    @property
    def uid(self) -> str:
        return f"lab-{self.name.replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class Place:
    """In Grafana's grid of 24 columns."""

    x: int
    y: int
    width: int
    height: int


def placed(board: Board) -> Iterator[tuple[Panel, Place]]:
    """Panels from left to right; a row is as high as its highest."""
    x = y = row_height = 0
    for panel in board.panels:
        if x + panel.width > COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        yield panel, Place(x, y, panel.width, panel.height)
        x += panel.width
        row_height = max(row_height, panel.height)
