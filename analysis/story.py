"""One order's story from its spans: what came after what, and which part of the whole each step is to blame for.

The critical path is walked from the root's end back through the child that finished last (Eaton et al., "Distributed
Latency Profiling through Critical Path Tracing", 2022): what no child covers is the span's own, exclusive time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from loadgen.manifest import RunError
from loadgen.record import Run
from target_system import signals

SLOWEST = "slowest"


@dataclass(frozen=True, slots=True)
class Step:
    """A span, `depth` below the root; `critical_ns` of its own time are on the critical path."""

    name: str
    component: str
    depth: int
    start_ns: int
    end_ns: int
    critical_ns: int


@dataclass(frozen=True, slots=True)
class Story:
    trace_id: str
    window: str
    order: dict[str, Any]
    steps: tuple[Step, ...]
    lines: tuple[str, ...]

    @property
    def start_ns(self) -> int:
        return self.steps[0].start_ns

    @property
    def duration_ns(self) -> int:
        return self.steps[0].end_ns - self.start_ns


def story(run: Run, named: str) -> Story:
    """Of the order with this id, client order id or trace id, or of the slowest. Raises RunError."""
    spans = run.spans
    if spans.empty:
        raise RunError(f"{run.path}: holds no spans; run the campaign with a collector (make setup builds it)")
    trace_id = _slowest(spans) if named == SLOWEST else _trace_of(run, spans, named)
    mine = spans[spans["trace_id"] == trace_id]
    order = next((row for row in mine.itertuples() if row.name == "order"), None)
    lines = run.log_lines
    return Story(
        trace_id=trace_id,
        window=str(mine["window"].iloc[0]),
        order=json.loads(str(order.attributes)) if order is not None else {},
        steps=tuple(_steps(mine)),
        lines=tuple(lines[lines["trace_id"] == trace_id].sort_values("t_ns")["line"]),
    )


def _slowest(spans: pd.DataFrame) -> str:
    roots = spans[spans["parent_id"] == ""]
    longest = int((roots["end_ns"] - roots["start_ns"]).to_numpy().argmax())
    return str(roots["trace_id"].iloc[longest])


def _trace_of(run: Run, spans: pd.DataFrame, named: str) -> str:
    for row in spans[spans["name"] == "order"].itertuples():
        about = json.loads(str(row.attributes))
        if named in (row.trace_id, str(about.get("order_id")), about.get("client_order_id")):
            return str(row.trace_id)
    traced = spans["trace_id"].nunique()
    raise RunError(
        f"{run.path}: {named} is none of its {traced} traced orders; give an order id, a client order id or a trace id"
        f" of one of them, `{SLOWEST}`, or load with a larger gateways.trace_ratio"
    )


def _steps(spans: pd.DataFrame) -> Iterator[Step]:
    rows: list[Any] = sorted(spans.itertuples(), key=lambda row: (row.start_ns, -row.end_ns))
    known = {row.span_id for row in rows}
    children: dict[str, list[Any]] = {}
    for row in rows:
        children.setdefault(row.parent_id if row.parent_id in known else "", []).append(row)
    critical = {row.span_id: 0 for row in rows}
    for root in children.get("", []):
        _walk(root, root.end_ns, children, critical)
        yield from _told(root, 0, children, critical)


def _told(row: Any, depth: int, children: dict[str, list[Any]], critical: dict[str, int]) -> Iterator[Step]:
    declared = signals.SPANS.get(row.name)
    component = declared.component if declared else row.component
    yield Step(row.name, component, depth, row.start_ns, row.end_ns, critical[row.span_id])
    for child in children.get(row.span_id, []):
        yield from _told(child, depth + 1, children, critical)


def _walk(row: Any, until_ns: int, children: dict[str, list[Any]], critical: dict[str, int]) -> None:
    """Back from `until_ns` to the row's start: the last-finishing child takes over, the gaps are the row's own."""
    at_ns = min(until_ns, row.end_ns)
    for child in sorted(children.get(row.span_id, []), key=lambda c: c.end_ns, reverse=True):
        end_ns = min(child.end_ns, at_ns)
        if end_ns <= max(child.start_ns, row.start_ns):
            continue
        critical[row.span_id] += at_ns - end_ns
        _walk(child, end_ns, children, critical)
        at_ns = max(child.start_ns, row.start_ns)
    critical[row.span_id] += max(0, at_ns - row.start_ns)


def critical_ms(run: Run, from_share: float, to_share: float) -> dict[str, float]:
    """Span name → its mean time on the critical path, of the traced orders between these quantiles of duration."""
    told = [list(_steps(mine)) for _, mine in run.spans.groupby("trace_id") if (mine["parent_id"] == "").any()]
    told.sort(key=lambda steps: steps[0].end_ns - steps[0].start_ns)
    first = min(int(from_share * len(told)), max(len(told) - 1, 0))
    chosen = told[first : max(first + 1, round(to_share * len(told)))]
    sums: dict[str, float] = {}
    for steps in chosen:
        for step in steps:
            sums[step.name] = sums.get(step.name, 0.0) + step.critical_ns / 1e6
    return {name: total / len(chosen) for name, total in sums.items()}
