"""The content of a report as plain data: what report.json holds and the page shows, so the two cannot differ.

docs/reference/report.md describes it. Times of day are ISO 8601 in UTC, latencies milliseconds, rates per second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
from hdrh.histogram import HdrHistogram

from analysis import calibration, gates, measured, predict, predicted, saturation, scaling, slo, validity, whatif
from analysis.bottleneck import Limit, Verdict, label
from analysis.demand import bounds_of, modelled_per_s
from analysis.finding import Figure
from analysis.measured import Configuration
from analysis.residence import residence_of
from analysis.spike import Spike, spikes
from loadgen.record import Run, Window
from reports.incidents import ALERT_KINDS, incidents
from reports.market import market
from reports.proof import proofs

FORMAT = 1
SEED_DOCUMENT = {1: 2653.0, 4: 3163.0, 8: 2689.0}
"""Gateways → orders/s that the document measured on its own machine (4 cores): only their ratios can be compared."""
PERCENTILES = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99, 99.999)
BEYOND = 10
"""A percentile is shown where at least this many orders lie beyond it."""
SECOND_NS = 1_000_000_000
PANELS_MAX = 12
SYNC_METHODS = ("fdatasync", "open_datasync", "fsync")
SYNCS_DOUBTED_PER_S = 10_000.0
"""Above this a sync takes less than 0.1 ms: a protected write cache, or a disk that lies."""


def content(run: Run, verdict: Verdict) -> dict[str, Any]:
    configurations = measured.configurations(run)
    limits = {limit.configuration.name: limit for limit in verdict.limits}
    rows = [_configuration(run, each, limits.get(each.name)) for each in configurations]
    return {
        "format": FORMAT,
        "run": _about(run),
        "valid": run.valid,
        "reasons": [asdict(reason) for reason in run.reasons],
        "verdict": _verdict(verdict),
        "proofs": proofs(run, configurations),
        "configurations": rows,
        "swept": scaling.swept(run),
        "usl": _usl(run),
        "next_limits": _next_limits(run),
        "gates": [asdict(gate) for gate in gates.gates(run)] if run.valid else [],
        "search": _search(run),
        "market": market(run, configurations),
        "spikes": [_spike(each) for each in spikes(run)],
        "reconciliation": run.reconciliation,
        "seed_document": _beside_the_seed(rows),
        "timeline": _timeline(run),
        "noise": run.noise.astype(object).where(run.noise.notna(), None).to_dict("records"),
        "machine": {**asdict(run.machine), "disk_verdict": _disk(run)},
        "versions": run.versions,
        "events": list(run.events),
        "incidents": incidents(run.events),
        "findings": [asdict(finding) for finding in verdict.findings],
        "quotas": any(component["bound_by"] == "quota" for row in rows for component in row["components"]),
    }


def _about(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "status": run.status,
        "campaign": run.campaign,
        "commit": run.commit,
        "seed": run.seed,
        "started": _iso(run.started_ns),
        "ended": _iso(run.ended_ns),
    }


def _iso(t_ns: int) -> str:
    return datetime.fromtimestamp(t_ns / SECOND_NS, UTC).isoformat(timespec="seconds")


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "limit": verdict.limit,
        "status": str(verdict.status),
        "confidence": verdict.confidence,
        "sentence": verdict.sentence,
        "evidence": [_figure(figure) for figure in verdict.evidence],
        "doubt": list(verdict.doubt),
        "next": verdict.next,
    }


def _figure(figure: Figure) -> dict[str, Any]:
    known = {"name": figure.name, "value": figure.value, "unit": figure.unit}
    return {**known, **(asdict(figure.interval) if figure.interval else {"low": None, "high": None, "method": None})}


def _configuration(run: Run, configuration: Configuration, limit: Limit | None) -> dict[str, Any]:
    found = saturation.loads(run, configuration)
    bound = bounds_of(configuration, found)
    histogram = measured.latency(run, configuration)
    time = residence_of(run, configuration)
    return {
        "name": configuration.name,
        "label": label(configuration),
        "parameters": dict(configuration.parameters),
        "repetitions": len(configuration.windows),
        "measured_s": configuration.measured_s,
        "users": configuration.users,
        "think_time_s": configuration.windows[0].think_time_s,
        "rate_per_s": configuration.rate_per_s,
        "orders": configuration.orders,
        "orders_per_s": _figure(configuration.orders_per_s),
        "commands_per_order": configuration.commands_per_order,
        "latency_ms": _latency(run, configuration, histogram),
        "percentiles": _percentiles(histogram),
        "errors": configuration.errors,
        "error_share": configuration.error_share,
        "limit": limit.name if limit else None,
        "status": str(limit.status) if limit else None,
        "bounds": _bounds(configuration, bound, modelled_per_s(configuration, found)),
        "components": [_component(load) for load in found.values()],
        "residence_ms": {**time.stages_ms, "elsewhere": time.elsewhere_ms} if time else None,
        "host_busy": validity.host_share(run, configuration),
        "generator_busy": validity.generator_share(run, configuration),
    }


def _latency(run: Run, configuration: Configuration, histogram: HdrHistogram) -> dict[str, Any] | None:
    if not histogram.get_total_count():
        return None
    p99 = measured.percentile_interval(run, configuration, 99.0)
    values = histogram.get_percentile_to_value_dict(measured.PERCENTILES)
    points = {f"p{q:g}": value / 1e6 for q, value in values.items()}
    return {
        "mean": histogram.get_mean_value() / 1e6,
        **points,
        "max": histogram.get_max_value() / 1e6,
        "scarce": [f"p{q:g}" for q in measured.PERCENTILES if _beyond(histogram, q) < BEYOND],
        "p99_interval": asdict(p99) if p99 else None,
    }


def _percentiles(histogram: HdrHistogram) -> list[list[float]]:
    shown = [q for q in PERCENTILES if _beyond(histogram, q) >= BEYOND]
    return [[q, value / 1e6] for q, value in histogram.get_percentile_to_value_dict(shown).items()]


def _beyond(histogram: HdrHistogram, percentile: float) -> float:
    return float(histogram.get_total_count()) * (1 - percentile / 100)


def _bounds(configuration: Configuration, bound: Any, modelled: float | None) -> dict[str, Any] | None:
    if bound is None:
        return None
    closed = configuration.users > 0 and np.isfinite(bound.population_per_s)
    return {
        "population_per_s": bound.population_per_s if closed else None,
        "ceiling_per_s": bound.ceiling_per_s,
        "component": bound.component,
        "n_star": bound.n_star,
        "mva_per_s": modelled,
    }


def _component(load: saturation.Load) -> dict[str, Any]:
    return {
        "component": load.component,
        "on_path": load.component in saturation.ORDER_PATH,
        "instances": load.capacity.instances,
        "busy_cores": _figure(load.busy_cores),
        "capacity_cores": load.capacity.cores,
        "bound_by": str(load.capacity.bound_by),
        "capacity": str(load.capacity),
        "utilisation": load.utilisation,
        "busiest_share": load.busiest_share,
        "throttled_share": load.throttled_share,
        "demand_us": _figure(load.demand_us),
    }


def _search(run: Run) -> dict[str, Any] | None:
    """Capacity by resources and demand by load; None where the campaign did not search."""
    found = slo.capacities(run)
    if not found:
        return None
    return {
        "capacity": [
            {
                "resources": each.label,
                "said": str(each),
                "per_s": each.knee.rate_per_s,
                "low": each.knee.low,
                "high": each.knee.high,
                "width": each.knee.width,
                "spread": each.knee.spread,
                "bracketed": each.knee.is_bracketed,
                "probes": [_probe(probe) for probe in each.probes],
            }
            for each in found
        ],
        "demand": [{"up_to_per_s": rate, "resources": dict(resources)} for rate, resources in slo.demand(found)],
    }


def _spike(spike: Spike) -> dict[str, Any]:
    return {
        "configuration": spike.configuration.name,
        "gone_s": _figure(spike.gone) if spike.gone else None,
        "repetitions": [
            {**asdict(each), "longest_ms": each.longest_ms if np.isfinite(each.longest_ms) else None}
            for each in spike.drains
        ],
    }


def _probe(probe: slo.Probe) -> dict[str, Any]:
    return {**asdict(probe), "p99_ms": probe.p99_ms if np.isfinite(probe.p99_ms) else None}


def _usl(run: Run) -> dict[str, Any] | None:
    fitted, parameter = scaling.fitted(run), scaling.swept(run)
    if fitted is None or parameter is None:
        return None
    values = [float(each.parameters[parameter]) for each in run.windows]
    across = np.linspace(min(values), max(values), 40)
    return {
        **{name: asdict(getattr(fitted, name)) for name in ("gamma", "alpha", "beta")},
        "peak_n": fitted.peak_n if np.isfinite(fitted.peak_n) else None,
        "curve": [[float(n), fitted.throughput(n)] for n in across],
    }


def _next_limits(run: Run) -> dict[str, Any] | None:
    """What the model of the run says of going on, or why it refuses; None where the run gives it too little to say."""
    if not run.valid or len(calibration.points(run)) < calibration.CONFIGURATIONS_MIN:
        return None
    try:
        start = predicted.target(run, {}, None)
        model = predict.model_of(run, start.topology)
        return {"refused": None, "error": model.error, **whatif.document(model, start)}
    except calibration.PredictionError as error:
        return {"refused": str(error), "steps": [], "roadmap": []}


def _beside_the_seed(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ratios to one gateway, for the gateway counts that the document and the run share; empty without one gateway."""
    mine = {row["parameters"].get("gateways"): row["orders_per_s"] for row in rows if row["orders"]}
    if 1 not in mine:
        return []
    return [
        {
            "gateways": count,
            "document_orders_per_s": rate,
            "document_ratio": rate / SEED_DOCUMENT[1],
            "measured_orders_per_s": mine[count]["value"],
            "measured_ratio": mine[count]["value"] / mine[1]["value"],
        }
        for count, rate in SEED_DOCUMENT.items()
        if count in mine
    ]


def _timeline(run: Run) -> list[dict[str, Any]]:
    """Orders in each second, warm-up included, of first repetitions and of windows in which something happened."""
    panels = []
    for window in run.windows:
        events = _events_of(run, window)
        if window.repetition <= 1 or events:
            panels.append(_panel(run, window, events))
    return panels[:PANELS_MAX]


def _panel(run: Run, window: Window, events: list[dict[str, Any]]) -> dict[str, Any]:
    acks = run.acks
    done = acks[(acks["window"] == window.name) & (acks["kind"] == "new") & (acks["outcome"] == "ok")]
    first = -((window.measured_from_ns - window.started_ns) // SECOND_NS)
    last = int((window.measured_until_ns - window.measured_from_ns) // SECOND_NS)
    edges = window.measured_from_ns + SECOND_NS * np.arange(first, last + 1)
    counts, _ = np.histogram(done["answered_ns"].to_numpy(), bins=edges)
    return {"label": window.name, "seconds": list(range(first, last)), "orders": counts.tolist(), "events": events}


def _events_of(run: Run, window: Window) -> list[dict[str, Any]]:
    return [
        {
            "second": (event["t_ns"] - window.measured_from_ns) / SECOND_NS,
            "what": f"{event['part']} {event['kind']}".replace("_", " "),
        }
        for event in run.events
        if window.started_ns <= event.get("t_ns", 0) < window.ended_ns and event["kind"] not in ALERT_KINDS
    ]


def _disk(run: Run) -> str:
    rates = [run.machine.fsync_per_s[method] for method in SYNC_METHODS if method in run.machine.fsync_per_s]
    if not rates:
        return "unknown: pg_test_fsync did not run"
    if max(rates) > SYNCS_DOUBTED_PER_S:
        return (
            f"doubtful: a sync takes {1e6 / max(rates):.0f} µs, so the device has a protected write cache, "
            "or it says synced before it is"
        )
    return f"plausible: a sync takes {1e3 / max(rates):.2f} ms"
