"""Small sealed runs with known content, for tests of whatever reads runs."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from loadgen.histogram import new_histogram
from loadgen.record import DIFFERENCES, Invalidity, Machine, Window
from loadgen.seal import RunWriter

START_NS = 1_795_248_900_000_000_000
WARM_UP_S, MEASURED_S = 2, 10
MACHINE = Machine(
    cores=2, model="Synthetic 1 GHz", memory_bytes=24 * 1024**3, kernel="6.1.0", disk="synthetic ssd",
    fsync_per_s={"fdatasync": 1_900.0}, quotas="cgroup v1",
)  # fmt: skip
CAMPAIGN = """\
name: synthetic
title: A run that never ran
topology: synthetic
sweep: {gateways: [1, 2, 4]}
load: {users: 40, think_time_s: 0.0, warm_up_s: 2, duration_s: 10}
seed: 1
"""
AGREEMENT: dict[str, Any] = dict.fromkeys((*DIFFERENCES, "acknowledged", "resolved"), 0) | {"windows": {}}
VERSIONS = {"postgres": "15.14", "redis": "7.0.15", "engine": "0.1.0"}


@dataclass(frozen=True, slots=True)
class Series:
    """One planted time series: each second of each window `value(window, seconds since the window started)`, sampled
    `offset_s` into the second."""

    metric: str
    component: str
    value: Callable[[Window, float], float]
    instance: str = "1"
    labels: Mapping[str, str] = field(default_factory=dict)
    offset_s: float = 0.0


def write_run(
    runs: Path,
    orders_per_s: Mapping[Any, float],
    *,
    swept: str = "gateways",
    repetitions: int = 1,
    latency_ms: float = 10.0,
    errors: Mapping[str, int] | None = None,
    series: Sequence[Series] = (),
    topologies: Mapping[str, Any] | None = None,
    generator_cpu_share: float = 0.3,
    generator_quota_cores: float = 0.5,
    steal_share: float = 0.0,
    host_busy_share: float = 0.5,
    foreign_share: float | None = None,
    reasons: Sequence[Invalidity] = (),
    reconciliation: Mapping[str, Any] | None = None,
    events: Sequence[Mapping[str, Any]] = (),
    spans: Sequence[Mapping[str, Any]] = (),
    log_lines: Sequence[Mapping[str, Any]] = (),
    interventions: Sequence[Mapping[str, Any]] = (),
    machine: Machine = MACHINE,
    users: int = 40,
    think_time_s: float = 0.0,
    run_id: str = "20261121T081500Z-synthetic",
    status: str = "complete",
    seed: int = 1,
    gates: Mapping[str, Any] | None = None,
    planned_per_s: float | None = None,
) -> Path:
    """Seals `runs/<run_id>`: value of the swept parameter → orders per second, answered with log-normal
    latencies around `latency_ms`.

    With `planned_per_s`, the mean rate of its plan, the load is an open loop.

    `errors` are outcome → count in each window. `topologies` are by configuration (`gateways=2`), given to each of its
    windows. Everything is drawn from `seed`, so the same arguments write the same bytes.
    """
    draw = random.Random(seed)
    windows = [
        replace(w, rate_per_s=planned_per_s) for w in _windows(swept, orders_per_s, repetitions, users, think_time_s)
    ]
    with RunWriter(runs, run_id) as writer:
        writer.append("spans", spans)
        writer.append("log_lines", log_lines)
        writer.append("interventions", interventions)
        for window in windows:
            rate = orders_per_s[window.parameters[swept]]
            acks = _acks(window, rate, latency_ms, errors or {}, draw)
            writer.append("windows", [window.as_row()])
            writer.append("acks", acks)
            writer.append("latency", _latency(window, acks))
            writer.append("series", _series(window, series))
            writer.append("generator", _generator(window, rate, generator_cpu_share, generator_quota_cores))
            writer.append("noise", [_noise(window, steal_share, host_busy_share, foreign_share)])
        about = {
            "id": run_id, "commit": "0" * 40, "seed": seed, "started_ns": windows[0].started_ns,
            "ended_ns": windows[-1].ended_ns, "valid": not reasons, "reasons": [asdict(reason) for reason in reasons],
        }  # fmt: skip
        by_window = {window.name: (topologies or {}).get(window.configuration, {}) for window in windows}
        documents = {
            "campaign.yaml": f"{CAMPAIGN}gates: {json.dumps(gates or {})}\n", "run.json": about,
            "topologies.json": by_window, "machine.json": asdict(machine),
            "versions.json": VERSIONS, "reconciliation.json": {**AGREEMENT, **(reconciliation or {})}, "logs.json": {},
            "events.jsonl": "".join(f"{json.dumps(event)}\n" for event in events),
        }  # fmt: skip
        for name, content in documents.items():
            writer.write(name, content)
        return writer.seal(status)


def _windows(
    swept: str, orders_per_s: Mapping[Any, float], repetitions: int, users: int, think_time_s: float
) -> list[Window]:
    length_ns = (WARM_UP_S + MEASURED_S + 1) * 10**9
    first = Window("", {}, 0, 0, users, think_time_s, None, 0, 0, 0, 0)
    windows = []
    for repetition in range(1, repetitions + 1):
        for value in orders_per_s:
            start = START_NS + len(windows) * length_ns
            measured_from = start + WARM_UP_S * 10**9
            measured_until = measured_from + MEASURED_S * 10**9
            windows.append(replace(
                first, name=f"{swept}={value}/{repetition}", parameters={swept: value},
                repetition=repetition, position=len(windows), started_ns=start, measured_from_ns=measured_from,
                measured_until_ns=measured_until, ended_ns=measured_until + 10**9,
            ))  # fmt: skip
    return windows


def _acks(
    window: Window, rate: float, latency_ms: float, errors: Mapping[str, int], draw: random.Random
) -> list[dict[str, Any]]:
    count = int(rate * window.duration_s)
    outcomes = ["ok"] * count + [outcome for outcome, times in errors.items() for _ in range(times)]
    rows = []
    for number, outcome in enumerate(outcomes):
        answered = window.measured_from_ns + number * (MEASURED_S * 10**9) // len(outcomes)
        sent = answered - int(latency_ms * 1e6 * draw.lognormvariate(0, 0.3))
        sequence = number + 1 if outcome == "ok" else 0
        rows.append({
            "window": window.name, "account": number % 8 + 1, "client_order_id": f"s-{window.position}-{number}",
            "kind": "new", "order_id": sequence, "sequence": sequence, "outcome": outcome,
            "intended_ns": sent - 20_000, "sent_ns": sent, "answered_ns": answered,
        })  # fmt: skip
    return rows


def _latency(window: Window, acks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    histograms: defaultdict[tuple[int, str, str], Any] = defaultdict(new_histogram)
    for ack in acks:
        second = (ack["intended_ns"] - window.measured_from_ns) // 10**9
        for measure, since in (("latency", "intended_ns"), ("service", "sent_ns")):
            histograms[second, ack["outcome"], measure].record_value(ack["answered_ns"] - ack[since])
    return [
        {"window": window.name, "interval_start_ns": window.measured_from_ns + second * 10**9,
         "endpoint": "POST /v1/orders", "outcome": outcome, "measure": measure,
         "count": histogram.get_total_count(), "histogram": histogram.encode().decode()}
        for (second, outcome, measure), histogram in sorted(histograms.items())
    ]  # fmt: skip


def _seconds(window: Window) -> range:
    return range(int((window.ended_ns - window.started_ns) // 10**9))


def _series(window: Window, series: Sequence[Series]) -> list[dict[str, Any]]:
    return [
        {"window": window.name, "metric": one.metric, "component": one.component, "instance": one.instance,
         "labels": json.dumps(dict(one.labels)), "t_ns": window.started_ns + int((second + one.offset_s) * 1e9),
         "value": float(one.value(window, second))}
        for one in series
        for second in _seconds(window)
    ]  # fmt: skip


def _generator(window: Window, rate: float, share: float, quota_cores: float) -> list[dict[str, Any]]:
    """As the generator tells it: rows go on after the schedule's end, and nothing is due in them."""
    starts_ns = [window.started_ns + second * 10**9 for second in _seconds(window)]
    return [
        {"window": window.name, "t_ns": t_ns, "cpu_seconds": share * quota_cores, "cpu_quota_cores": quota_cores,
         "wake_lag_p99_ns": 300_000, "in_flight": window.users, "requests": due, "offered": due, "sent": due,
         "lag_ns": 0, "schedule_error_p99_ns": 200_000}
        for t_ns in starts_ns
        for due in [int(rate) if t_ns < window.measured_until_ns else 0]
    ]  # fmt: skip


def _noise(window: Window, steal_share: float, host_busy_share: float, foreign_share: float | None) -> dict[str, Any]:
    return {
        "window": window.name, "steal_share": steal_share, "host_busy_share": host_busy_share,
        "foreign_share": foreign_share, "hiccup_p50_ns": 60_000, "hiccup_p99_ns": 300_000, "hiccup_p99_9_ns": 900_000,
        "hiccup_max_ns": 1_500_000, "clock_step_max_ns": 0,
    }  # fmt: skip
