"""Several runs on one page: what each configuration carried in each of them, and what each run says of its limit."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from analysis.bottleneck import verdict
from analysis.change import unlike
from loadgen.record import Run
from reports import charts
from reports.content import content
from reports.html import environment, title


def write(runs: Sequence[Run], page: Path) -> Path:
    """The page, at that path. The first run is the one that the others are compared with."""
    page.write_text(environment().get_template("comparison.html.j2").render(comparison(runs)))
    return page


def _marks() -> Iterator[str]:
    """A to Z, then AA and on without end."""
    for length in itertools.count(1):
        yield from map("".join, itertools.product(string.ascii_uppercase, repeat=length))


def comparison(runs: Sequence[Run]) -> dict[str, Any]:
    """Plain data of the page, and its chart."""
    told = [(mark, content(run, verdict(run))) for mark, run in zip(_marks(), runs, strict=False)]
    rows = [{**row, "mark": mark, "ratio": None} for mark, one in told for row in one["configurations"]]
    first = {row["label"]: row["orders_per_s"]["value"] for row in rows if row["mark"] == told[0][0]}
    for row in rows:
        base = first.get(row["label"])
        row["ratio"] = row["orders_per_s"]["value"] / base if base else None
    order = list(dict.fromkeys(row["label"] for row in rows))
    rows.sort(key=lambda row: order.index(row["label"]))
    best = max(rows, key=lambda row: row["orders_per_s"]["value"])
    return {
        "runs": [
            {
                "mark": mark, "id": one["run"]["id"], "title": title(one), "valid": one["valid"],
                "sentence": one["verdict"]["sentence"],
            }
            for mark, one in told
        ],
        "rows": rows,
        "sentence": f"Most was carried in run {best['mark']}: "
        f"{best['orders_per_s']['value']:,.0f} orders/s with {best['label']}.",
        "unlike": list(dict.fromkeys(line for run in runs[1:] for line in unlike(runs[0], run))),
        "chart": Markup(charts.beside(rows)),
    }  # fmt: skip
