"""The unit of a query, inferred from its syntax tree and the register of signals, to be held against the panel's.

Seconds, bytes and percent are dimensions; what is counted (orders, commands) has none, and is compared by its
noun where a query speaks of one signal alone. A rate divides by seconds, so seconds per second is a share, or cores.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import promql_parser

from target_system.signals import METRICS, MetricType

PER_SECOND = frozenset({"rate", "irate", "deriv"})
KEEPS = frozenset({
    "increase", "delta", "idelta", "sum", "min", "max", "avg", "topk", "bottomk", "clamp_min", "clamp_max", "clamp",
    "abs", "ceil", "floor", "round", "scalar", "label_replace", "label_join", "sort", "sort_desc", "stddev", "quantile",
    "last_over_time", "avg_over_time", "max_over_time", "min_over_time", "sum_over_time", "quantile_over_time",
})  # fmt: skip
COUNTS = frozenset({"count", "changes", "resets", "count_over_time", "absent", "group"})
HISTOGRAM_PART = re.compile(r"(.+)_(bucket|sum|count)$")


class UnitError(Exception):
    """A query that names what is not declared, or adds what cannot be added."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """Exponents. `noun`: what is counted, "" if unknown; `of`: the unit that buckets bound; `free`: fits anything."""

    seconds: int = 0
    bytes: int = 0
    percent: int = 0
    noun: str = ""
    of: str = ""
    free: bool = False

    def same(self, other: Dimension) -> bool:
        if self.free or other.free:
            return True
        mine, others = (self.seconds, self.bytes, self.percent), (other.seconds, other.bytes, other.percent)
        return mine == others and (not self.noun or not other.noun or self.noun == other.noun)

    def times(self, other: Dimension, sign: int) -> Dimension:
        if other.free:
            return replace(self, noun="" if sign < 0 else self.noun)
        if self.free:
            return replace(other, seconds=sign * other.seconds, bytes=sign * other.bytes, noun="", free=False)
        return Dimension(
            self.seconds + sign * other.seconds, self.bytes + sign * other.bytes, self.percent + sign * other.percent
        )

    def __str__(self) -> str:
        named = {"seconds": self.seconds, "bytes": self.bytes, "percent": self.percent}
        parts = [f"{name}^{power}" if power != 1 else name for name, power in named.items() if power]
        return " ".join([*parts, *([self.noun] if self.noun else [])]) or "a plain number"


FREE = Dimension(free=True)
BASES = {"seconds": Dimension(seconds=1), "bytes": Dimension(bytes=1), "percent": Dimension(percent=1)}
PLAIN = frozenset({"share", "cores", "bool", "parts", "events", "number", "waiting", "lines"})
"""Words for a number that anything counted or divided may become."""


def of_unit(unit: str) -> Dimension:
    """What the unit of a panel or a signal stands for: "bytes/s", "orders"."""
    base, _, per = unit.partition("/")
    known = BASES.get(base) or Dimension(noun="" if base in PLAIN else base)
    return replace(known, seconds=known.seconds - 1) if per == "s" else known


def contradiction(expr: str, unit: str, is_heatmap: bool = False) -> str:
    """Why the unit cannot be that of the query, or "". The unit of a heatmap is that of its buckets' bounds."""
    try:
        found = of_query(expr)
        found = of_unit(found.of) if is_heatmap else found
    except UnitError as error:
        return str(error)
    wanted = of_unit(unit)
    return "" if found.same(wanted) else f"unit is {unit}, the query gives {found}"


def of_query(expr: str) -> Dimension:
    """Raises UnitError."""
    try:
        tree = promql_parser.parse(expr)
    except ValueError as error:
        raise UnitError(f"is no PromQL: {error}") from error
    return _of(tree)


def _of(node: Any) -> Dimension:
    match node:
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
            return FREE
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            return _of(node.expr)
        case promql_parser.MatrixSelector():
            return _of(node.vector_selector)
        case promql_parser.VectorSelector():
            return _of_selector(node)
        case promql_parser.AggregateExpr():
            return Dimension() if str(node.op) in COUNTS else _of(node.expr)
        case promql_parser.Call():
            return _of_call(node.func.name, [_of(argument) for argument in node.args])
        case promql_parser.BinaryExpr():
            return _of_binary(str(node.op), _of(node.lhs), _of(node.rhs))
    raise UnitError(f"cannot tell the unit of {type(node).__name__}")


def _of_selector(node: Any) -> Dimension:
    names = [node.name] if node.name else _names_matched(node)
    return _alike([_of_sample(name) for name in names])


def _names_matched(node: Any) -> list[str]:
    names = [matcher.value for matcher in node.matchers.matchers if matcher.name == "__name__"]
    return names[0].split("|") if names else []


def _of_sample(name: str) -> Dimension:
    metric = METRICS.get(name)
    if metric is not None:
        return of_unit(metric.unit)
    part = HISTOGRAM_PART.match(name)
    metric = METRICS.get(part[1]) if part else None
    if part is None or metric is None or metric.type is not MetricType.HISTOGRAM:
        raise UnitError(f"names {name}, which target_system/signals does not declare")
    return {"bucket": Dimension(of=metric.unit), "sum": of_unit(metric.unit), "count": Dimension()}[part[2]]


def _of_call(name: str, given: list[Dimension]) -> Dimension:
    if name == "histogram_quantile":
        return of_unit(given[1].of)
    if name in PER_SECOND:
        return replace(given[0], seconds=given[0].seconds - 1)
    if name in COUNTS:
        return Dimension()
    if name in KEEPS:
        return next((dimension for dimension in given if not dimension.free), FREE)
    if name == "vector":
        return FREE
    if name == "time":
        return Dimension(seconds=1)
    raise UnitError(f"uses {name}(), whose unit the lab does not know; add it to dashboards/units.py")


def _of_binary(operator: str, left: Dimension, right: Dimension) -> Dimension:
    if operator == "*":
        return left.times(right, 1)
    if operator == "/":
        return left.times(right, -1)
    if operator in ("+", "-", "or"):
        return _alike([left, right])
    return left  # comparisons, and, unless


def _alike(dimensions: list[Dimension]) -> Dimension:
    known = [dimension for dimension in dimensions if not dimension.free]
    if not known:
        return FREE
    for dimension in known[1:]:
        if not dimension.same(known[0]):
            raise UnitError(f"puts together {known[0]} and {dimension}")
    return known[0]
