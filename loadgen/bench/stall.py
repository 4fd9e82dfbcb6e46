"""A server that stands still for one second: what open loop, closed loop and k6 say of it, beside what is true.

Requests are due evenly, so the truth is arithmetic: the share of them that is due in the stall waits for what is left
of it, evenly between nothing and one second, and nobody else waits. A closed loop sends almost nothing meanwhile and so
hardly sees it (coordinated omission); no formula is applied to mend that.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from loadgen.assignment import Assignment
from loadgen.bench import BenchError
from loadgen.bench.client import BASE, measured, stand_in
from loadgen.bench.stand_in import STALL_S
from loadgen.child import ROOT
from loadgen.histogram import new_histogram

RATE_PER_S = 200
CLOSED_USERS, CLOSED_THINK_S = 20, 0.1
QUANTILES = (95.0, 97.5, 99.0, 99.5, 99.9)
K6_GRACE_S = 60.0
SCRIPT = ROOT / "loadgen" / "bench" / "stall.js"


@dataclass(frozen=True, slots=True)
class Seen:
    """Latencies in seconds; k6 gives only quantiles."""

    opened: npt.NDArray[np.float64]
    closed: npt.NDArray[np.float64]
    k6_s: Mapping[float, float]


def analytic_s(percent: float, duration_s: float) -> float:
    """The true quantile of the latency, the server's own time left out."""
    stalled = STALL_S / duration_s
    return max(percent / 100 - (1 - stalled), 0.0) / stalled * STALL_S


def see(duration_s: float, k6: Path | None) -> Seen:
    """Raises BenchError, GeneratorError."""
    base = msgspec.structs.replace(BASE, warm_up_s=0.0, duration_s=duration_s)
    opened = msgspec.structs.replace(base, arrivals={"kind": "constant", "rate_per_s": RATE_PER_S})
    closed = msgspec.structs.replace(base, users=CLOSED_USERS, think_time_s=CLOSED_THINK_S)
    return Seen(_latencies_s(opened), _latencies_s(closed), _by_k6(k6, duration_s) if k6 else {})


def figures(seen: Seen, duration_s: float) -> dict[str, Any]:
    """By percentile: the truth, and what each said (ms); how far open loop and k6 are off, at worst."""
    table, off, off_k6 = [], [], []
    for percent in QUANTILES:
        true_s, open_s = analytic_s(percent, duration_s), _quantile_s(seen.opened, percent)
        row = {"percentile": percent, "analytic_ms": true_s * 1e3, "open_ms": open_s * 1e3}
        row["closed_ms"] = _quantile_s(seen.closed, percent) * 1e3
        off.append(abs(open_s / true_s - 1))
        if percent in seen.k6_s:
            row["k6_ms"] = seen.k6_s[percent] * 1e3
            off_k6.append(abs(open_s / seen.k6_s[percent] - 1))
        table.append({name: round(value, 1) for name, value in row.items()})
    against_k6 = round(max(off_k6), 4) if off_k6 else None
    return {"quantiles": table, "off_analytic_max": round(max(off), 4), "off_k6_max": against_k6}


def draw(seen: Seen, duration_s: float, image: Path) -> None:
    from matplotlib.figure import Figure

    percents = 100 - np.logspace(np.log10(50), np.log10(0.05), 200)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(100 / (100 - percents), [1e3 * analytic_s(p, duration_s) for p in percents], "k--", label="analytic")
    for latencies, label in ((seen.opened, "open loop"), (seen.closed, "closed loop: hardly sees it")):
        axes.plot(100 / (100 - percents), [1e3 * _quantile_s(latencies, p) for p in percents], label=label)
    if seen.k6_s:
        axes.plot([100 / (100 - p) for p in seen.k6_s], [1e3 * s for s in seen.k6_s.values()], "x", label="k6")
    axes.set_xscale("log")
    axes.set_xticks([2, 10, 100, 1000], ["p50", "p90", "p99", "p99.9"])
    axes.set_ylabel("latency, ms")
    axes.set_title(f"The server stands still for {STALL_S:g} s of {duration_s:g}, {RATE_PER_S} requests/s")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(image, dpi=110)


def _latencies_s(assignment: Assignment) -> npt.NDArray[np.float64]:
    with stand_in("stalling") as port:
        rows = measured(msgspec.structs.replace(assignment, port=port)).due
    latencies_s: npt.NDArray[np.float64] = (rows["answered_ns"] - rows["intended_ns"]) / 1e9
    return latencies_s


def _quantile_s(latencies: Sequence[float] | npt.NDArray[np.float64], percent: float) -> float:
    """As a run's histograms give it."""
    histogram = new_histogram()
    for latency_s in latencies:
        histogram.record_value(int(latency_s * 1e9))
    return float(histogram.get_value_at_percentile(percent)) / 1e9


def _by_k6(program: Path, duration_s: float) -> dict[float, float]:
    with stand_in("stalling") as port, TemporaryDirectory() as scratch:
        summary = Path(scratch) / "summary.json"
        told = {
            "PORT": str(port), "RATE_PER_S": str(RATE_PER_S), "DURATION_S": f"{duration_s:g}",
            "QUANTILES": ",".join(f"{percent:g}" for percent in QUANTILES),
        }  # fmt: skip
        done = subprocess.run(
            [program, "run", "--quiet", "--no-usage-report", "--summary-export", summary, SCRIPT],
            env=os.environ | told, capture_output=True, text=True, check=False, timeout=duration_s + K6_GRACE_S,
        )  # fmt: skip
        if done.returncode != 0:
            raise BenchError(f"k6 ended with code {done.returncode}: {done.stderr.strip()[-500:]}")
        trend = json.loads(summary.read_text())["metrics"]["http_req_duration"]
    return {percent: trend[f"p({percent:g})"] / 1e3 for percent in QUANTILES}
