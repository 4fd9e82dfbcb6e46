"""Writes what a run has to say beside it: `<run>.report/` with report.html, report.json and findings.json.

The sealed folder is never edited. The page can be written again at any time, from the run alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis import measured
from analysis.bottleneck import Verdict, label, verdict
from loadgen.record import Run
from reports.content import content
from reports.html import reconciled, render


def write(run_path: Path) -> Path:
    """Writes the report of the sealed run at `run_path`; returns its HTML page. Raises RunError as `Run.open` does."""
    run = Run.open(run_path)
    data = content(run, verdict(run))
    folder = run_path.with_name(f"{run_path.name}.report")
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_text(_json(data))
    (folder / "findings.json").write_text(_json(data["findings"]))
    page = folder / "report.html"
    page.write_text(render(data))
    return page


def closing_lines(run: Run, verdict: Verdict, report_path: Path) -> list[str]:
    """The five lines that `make demo` ends with: verdict, rates and latencies, reconciliation, report, what next."""
    _, headline, detail = reconciled(run.reconciliation)
    return [
        verdict.sentence,
        _rates(run, measured.configurations(run)),
        f"{headline}: {detail}.",
        f"Report: {report_path}",
        f"Next: {verdict.next}",
    ]


def _rates(run: Run, configurations: Sequence[measured.Configuration]) -> str:
    parts = []
    for each in configurations:
        histogram = measured.latency(run, each)
        p50, p99 = (histogram.get_value_at_percentile(q) / 1e6 for q in (50, 99))
        parts.append(f"{label(each)}: {each.orders_per_s.value:,.0f} orders/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return " | ".join(parts)


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} in a report")
