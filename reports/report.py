"""Writes what a run has to say beside it, in `<run>.report/`: report.html, .md and .json, findings.json, gates.xml.

The sealed folder is never edited. The page can be written again at any time, from the run alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from analysis.bottleneck import verdict
from analysis.gates import gates
from loadgen.record import Run
from reports import junit, markdown
from reports.content import content
from reports.html import render


def write(run_path: Path) -> Path:
    """Writes the report of the sealed run at `run_path`; returns its HTML page. Raises RunError as `Run.open` does."""
    run = Run.open(run_path)
    data = content(run, verdict(run))
    folder = run_path.with_name(f"{run_path.name}.report")
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_text(_json(data))
    (folder / "findings.json").write_text(_json(data["findings"]))
    junit.write(run, gates(run) if run.valid else [], folder / "gates.xml")
    page = folder / "report.html"
    page.write_text(render(data))
    (folder / "report.md").write_text(markdown.render(data))
    return page


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} in a report")
