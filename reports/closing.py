"""What a run comes to in a few lines: how `make demo` ends, and the same figures for programs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis import measured
from analysis.bottleneck import Verdict, label
from analysis.capacity import gateways_of
from analysis.gates import gates
from analysis.slo import capacities
from analysis.spike import Spike, spikes
from loadgen.record import Run
from reports.html import COLUMNS, reconciled


def closing_lines(run: Run, verdict: Verdict, report_path: Path) -> list[str]:
    """The lines that `make demo` ends with: verdict, rates and latencies (of a search the verdict says them),
    reconciliation, report, what next."""
    _, headline, detail = reconciled(run.reconciliation)
    missed = [gate for gate in gates(run) if not gate.passed] if run.valid else []
    return [
        verdict.sentence,
        *(f"Gate missed: {gate.name} {gate.configuration}: {gate.said}" for gate in missed),
        *(_spike(each) for each in spikes(run)),
        *([] if capacities(run) else [" | ".join(_rate(run, each) for each in measured.configurations(run))]),
        f"{_deaths(run)}{headline}: {detail}.",
        f"Report: {report_path}",
        f"Next: {verdict.next}",
    ]


def _spike(spike: Spike) -> str:
    each = ", ".join("not while measured" if d.gone_s is None else f"{d.gone_s:.2f} s" for d in spike.drains)
    return f"Queue of the spike gone after its end ({label(spike.configuration)}): {each}"


def _deaths(run: Run) -> str:
    died = sorted({str(event["part"]) for event in run.events if event["kind"] == "died"})
    return f"{', '.join(died)} died during the run; " if died else ""


def document(run: Run, verdict: Verdict) -> dict[str, Any]:
    """What a run says to a program (`lab run --json`)."""
    return {
        "run": str(run.path),
        "valid": run.valid,
        "reasons": [f"{reason.window}: {reason.sentence}" for reason in run.reasons],
        "status": run.status,
        "configurations": configurations(run),
        "spikes": [
            {"configuration": each.configuration.name, "gone_s": [drain.gone_s for drain in each.drains]}
            for each in spikes(run)
        ],
        "reconciliation": {name: run.reconciliation[name] for name in COLUMNS if name in run.reconciliation},
        "gates": [asdict(gate) for gate in gates(run)] if run.valid else [],
        "verdict": {"limit": verdict.limit, "status": str(verdict.status), "sentence": verdict.sentence},
    }


def configurations(run: Run) -> list[dict[str, Any]]:
    """Each configuration in the figures of the report: new orders acknowledged, their latencies, all errors."""
    rows = []
    for each in measured.configurations(run):
        interval, (p50, p99) = each.orders_per_s.interval, _quantiles_ms(run, each)
        rows.append({
            **each.parameters,
            "gateways": gateways_of(run, each.windows[0]),
            "windows": len(each.windows),
            "orders_per_s": round(each.orders_per_s.value, 1),
            "ci95": [round(interval.low, 1), round(interval.high, 1)] if interval else None,
            "p50_ms": None if p50 is None else round(p50, 3),
            "p99_ms": None if p99 is None else round(p99, 3),
            "errors": sum(each.errors.values()),
            "errors_by_kind": each.errors,
        })  # fmt: skip
    return rows


def _rate(run: Run, each: measured.Configuration) -> str:
    p50, p99 = _quantiles_ms(run, each)
    if p50 is None or p99 is None:
        return f"{label(each)}: no order was answered"
    return f"{label(each)}: {each.orders_per_s.value:,.0f} orders/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def _quantiles_ms(run: Run, each: measured.Configuration) -> tuple[float, float] | tuple[None, None]:
    """p50 and p99; what was never answered has none."""
    histogram = measured.latency(run, each)
    if not histogram.get_total_count():
        return None, None
    return histogram.get_value_at_percentile(50) / 1e6, histogram.get_value_at_percentile(99) / 1e6
