"""Makes a golden run from a real one: some windows, a few seconds of each, only the series that analyses read.

.venv/bin/python -m tests.golden.trim runs/<id> tests/golden --name gateway-bound --windows gateways=1/1 --seconds 8
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pyarrow as pa

from loadgen.layout import TABLES
from loadgen.record import Run, Window
from loadgen.seal import RunWriter
from target_system.signals import METRICS

SECOND_NS = 1_000_000_000
ANALYSIS = Path(__file__).parents[2] / "analysis"
TRACES = ("spans", "log_lines")
MARGIN_NS = 2 * SECOND_NS
"""Scrapes kept on both sides of the measured seconds."""


def trim(run: Run, folder: Path, name: str, windows: list[str], seconds: int, traces: bool) -> Path:
    kept = [run.window(window) for window in windows]
    until = {window.name: window.measured_from_ns + seconds * SECOND_NS for window in kept}
    with RunWriter(folder, name) as writer:
        for table in TABLES:
            if not (run.path / f"{table}.parquet").exists() or (table in TRACES and not traces):
                continue
            rows = pd.read_parquet(run.path / f"{table}.parquet")
            rows = rows[rows["window"].isin(until)]
            writer.append(
                table, pa.Table.from_pandas(_cut(table, rows, kept, until), TABLES[table], preserve_index=False)
            )
        for document in (
            "campaign.yaml",
            "machine.json",
            "versions.json",
            "logs.json",
            "topologies.json",
            "events.jsonl",
        ):
            writer.write(document, (run.path / document).read_text())
        about = json.loads((run.path / "run.json").read_text())
        reasons = [asdict(reason) for reason in run.reasons if reason.window in until]
        writer.write("run.json", {**about, "reasons": reasons, "valid": not reasons})
        writer.write("reconciliation.json", {**run.reconciliation, "windows": {}})
        return writer.seal("complete")


def _cut(table: str, rows: pd.DataFrame, windows: list[Window], until: dict[str, int]) -> pd.DataFrame:
    last = rows["window"].map(until)
    first = rows["window"].map({window.name: window.measured_from_ns for window in windows})
    match table:
        case "windows":
            return rows.assign(measured_from_ns=first, measured_until_ns=last, ended_ns=last)
        case "acks":
            inside = rows[(rows["answered_ns"] >= first) & (rows["intended_ns"] < last)]
            return inside.assign(client_order_id="", order_id=0, sequence=0)  # large, and no analysis reads them
        case "spans":
            return rows[(rows["start_ns"] >= first) & (rows["end_ns"] < last)]
        case "log_lines":
            return rows[(rows["t_ns"] >= first) & (rows["t_ns"] < last)]
        case "latency":
            return rows[(rows["interval_start_ns"] >= first) & (rows["interval_start_ns"] < last)]
        case "series":
            rows = rows[(rows["t_ns"] >= first - MARGIN_NS) & (rows["t_ns"] < last + MARGIN_NS)]
            return rows[rows["metric"].isin(_read_by_analyses())]
        case "generator":
            return rows[(rows["t_ns"] >= first) & (rows["t_ns"] < last)]
    return rows


def _read_by_analyses() -> set[str]:
    text = "".join(path.read_text() for path in ANALYSIS.glob("*.py"))
    named = {name for name in METRICS if re.search(rf"\b{name}\b", text)}
    return named | {f"{name}_{part}" for name in named for part in ("sum", "count")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--windows", nargs="+", required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--traces", action="store_true", help="spans and log lines too")
    parser.add_argument("--from-s", type=float, default=0.0, help="of the measured part, for faults that came later")
    given = parser.parse_args()
    opened = Run.open(given.run)
    start_ns = opened.windows[0].measured_from_ns + round(given.from_s * SECOND_NS)
    if given.from_s:
        opened = opened.narrowed(start_ns, opened.windows[0].measured_until_ns)
    print(trim(opened, given.folder, given.name, given.windows, given.seconds, given.traces))
