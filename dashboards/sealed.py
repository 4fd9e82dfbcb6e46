"""The boards over the window of a sealed run, as one self-contained page.

The run's samples go into a Prometheus of their own, started for the moment, so the very queries of the boards are
answered by the evaluator that they were written for (docs/decisions: boards without Grafana).
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pyarrow.parquet as pq

from dashboards import page
from dashboards.model import Colour, Query
from dashboards.queries import LINES_MAX, Choice, LogLine, Mark, Sources, Span
from deploy.topology import Observability
from loadgen.record import Run

READY_DEADLINE_S = 20.0
IMPORT_DEADLINE_S = 300.0
POLL_S = 0.05
LOOKBACK_S = 6
"""Longer than the slowest scrape: beyond it a series has ended, as in the live server, which marks the end."""
WHOLE = "whole run"
WINDOWS_MAX = 12
"""Whose series are asked for by themselves; the page shows others as a part of the whole."""
BATCH_ROWS = 50_000


class SnapshotError(Exception):
    """The run's series could not be shown; the text says why and what to do."""


def write(run_path: Path) -> Path:
    """Writes `<run>.report/boards.html` beside the sealed run. Raises RunError as `Run.open` does, SnapshotError."""
    run = Run.open(run_path)
    folder = run_path.with_name(f"{run_path.name}.report")
    folder.mkdir(exist_ok=True)
    path = folder / "boards.html"
    with prometheus_of(run) as address, RunSources(address, run) as sources:
        path.write_text(page.html(f"Boards of {run.id}", page.still(sources, spans_of(run), marks_of(run))))
    return path


class RunSources(Sources):
    """Series from the Prometheus of a run, lines from its record: those of traced orders."""

    def __init__(self, prometheus: str, run: Run) -> None:
        super().__init__(prometheus, None)
        self._lines = run.log_lines

    def logs(self, query: Query, span: Span, choice: Choice) -> list[LogLine]:  # noqa: ARG002 - the page narrows them
        found = self._lines
        within = (found["t_ns"] >= span.from_s * 1e9) & (found["t_ns"] <= span.until_s * 1e9)
        found = found[within & found["component"].isin(query.components)].nlargest(LINES_MAX, "t_ns")
        rows = zip(found["t_ns"], found["instance"], found["line"], strict=True)
        return [LogLine(t_ns / 1e9, instance, line) for t_ns, instance, line in rows]


def spans_of(run: Run) -> dict[str, Span]:
    """The whole run first, then each window from its warm-up to its end; of many windows only the first.

    Raises SnapshotError where the run has none.
    """
    if not run.windows:
        raise SnapshotError(f"{run.path}: nothing was loaded in this run, so there is nothing to show")
    watched = next(iter(run.topologies.values())).get("observability", {})
    scrape_s = float(watched.get("scrape_interval_s", Observability().scrape_interval_s))
    first = min(window.started_ns for window in run.windows) / 1e9
    last = max(window.ended_ns for window in run.windows) / 1e9
    windows = {w.name: Span(w.started_ns / 1e9, w.ended_ns / 1e9, scrape_s) for w in run.windows[:WINDOWS_MAX]}
    return {WHOLE: Span(first, last, scrape_s), **windows}


def marks_of(run: Run) -> list[Mark]:
    """Stages of the campaign, and what happened to the cluster."""
    stages = [
        Mark(w.measured_from_ns / 1e9, w.measured_until_ns / 1e9, f"measured: {w.name}", Colour.GENERATOR)
        for w in run.windows
    ]
    events = [
        Mark(event["t_ns"] / 1e9, event["t_ns"] / 1e9, f"{event['part']} {event['kind']}: {event['said']}", Colour.BAD)
        for event in run.events
    ]
    return stages + events


@contextlib.contextmanager
def prometheus_of(run: Run) -> Iterator[str]:
    """host:port of a Prometheus that holds the run's series and nothing else; it ends with the block."""
    promtool, prometheus = _program("promtool"), _program("prometheus")
    with tempfile.TemporaryDirectory(prefix="lab-boards-") as scratch:
        folder = Path(scratch)
        with (folder / "series.txt").open("w") as file:
            write_openmetrics(run, file)
        blocks = (promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", file.name, str(folder / "tsdb"))
        done = subprocess.run(blocks, capture_output=True, text=True, timeout=IMPORT_DEADLINE_S, check=False)
        if done.returncode:
            raise SnapshotError(f"promtool refused the series of {run.path}: {done.stderr.strip()[-300:]}")
        (folder / "prometheus.yml").write_text("{}\n")
        address = f"127.0.0.1:{_free_port()}"
        command = (
            prometheus, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
            "--storage.tsdb.retention.time=100y", f"--query.lookback-delta={LOOKBACK_S}s",
            f"--web.listen-address={address}", "--log.level=error",
        )  # fmt: skip
        with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
            try:
                _await_ready(address, server, folder / "log")
                yield address
            finally:
                server.kill()  # what it holds is thrown away


def write_openmetrics(run: Run, file: TextIO) -> None:
    """Samples of a series in the order of time, as promtool wants them."""
    names = ["metric", "component", "instance", "labels"]
    table = pq.read_table(run.path / "series.parquet", columns=[*names, "t_ns", "value"], read_dictionary=names)
    rows = table.to_pandas(self_destruct=True).sort_values([*names, "t_ns"])  # an hour has 17 million
    for start in range(0, len(rows), BATCH_ROWS):
        batch = rows.iloc[start : start + BATCH_ROWS].itertuples(index=False, name=None)
        for metric, component, instance, labels, t_ns, value in batch:
            text = _labels(component, instance, labels)
            file.write(f"{metric}{{{text}}} {_number(value)} {t_ns / 1e9:.3f}\n")
    file.write("# EOF\n")


@functools.lru_cache(maxsize=4_096)  # samples come series by series
def _labels(component: str, instance: str, rest: str) -> str:
    labels = {"component": component, "instance": instance, **json.loads(rest)}
    return ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items() if value)


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SnapshotError(f"{name} is missing, and the boards of a run need it; make packages installs it")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ready(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_DEADLINE_S
    while True:
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"http://{address}/-/ready", timeout=1),
        ):
            return
        if server.poll() is not None or time.monotonic() > deadline:
            raise SnapshotError(f"the Prometheus for the run's series did not start: {log.read_text()[-300:]}")
        time.sleep(POLL_S)
