"""A report in a page of Markdown, for a pull request: the verdict, what was carried, what it would buy to go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def render(content: Mapping[str, Any]) -> str:
    return "\n".join(_lines(content)) + "\n"


def _lines(content: Mapping[str, Any]) -> Iterator[str]:
    verdict, machine = content["verdict"], content["machine"]
    yield f"## {verdict['sentence']}"
    yield ""
    yield f"Run `{content['run']['id']}`, {machine['cores']} cores, {'valid' if content['valid'] else '**invalid**'}."
    yield from (f"- Doubt: {doubt}" for doubt in verdict["doubt"])
    yield f"- Next: {verdict['next']}"
    yield ""
    yield "| configuration | orders/s | 95 % interval | p50 ms | p99 ms | errors | limit |"
    yield "|---|---:|---:|---:|---:|---:|---|"
    for row in content["configurations"]:
        yield _row(row)
    found = content["next_limits"]
    if found and found["steps"]:
        yield ""
        yield "| after | orders/s, modelled | interval | times | then binds |"
        yield "|---|---:|---:|---:|---|"
        for step in found["steps"]:
            lifted = f"twice {step['lifted']}" if step["lifted"] else "as measured"
            span = step["status"] if step["low"] is None else f"{step['low']:,.0f} – {step['high']:,.0f}"
            yield f"| {lifted} | {step['orders_per_s']:,.0f} | {span} | {step['gain']:.2f} | {step['binds']} |"


def _row(row: Mapping[str, Any]) -> str:
    rate, latency = row["orders_per_s"], row["latency_ms"]
    span = f"{rate['low']:,.0f} – {rate['high']:,.0f}" if rate["low"] is not None else "–"
    p50, p99 = (f"{latency[q]:.1f}" for q in ("p50", "p99")) if latency else ("–", "–")
    cells = (row["label"], f"{rate['value']:,.0f}", span, p50, p99, f"{row['error_share']:.2%}", row["limit"] or "")
    return f"| {' | '.join(cells)} |"
