"""How often the locator is right: its verdicts on planted limits, beside those of four baselines on the same runs.

A case counts only where the plant hurts (throughput down by 15 %, or p95 up by half) and its removal heals (80 % of
either comes back). Intervals are Wilson's, which hold for few cases and for shares near one. The baselines: chance, the
highest utilisation, the stage whose time grew most, and the component with the most signals three sigma off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from analysis.bottleneck import Status, Verdict, weighed
from analysis.finding import Bearing
from analysis.measured import configurations, latency
from analysis.residence import COMPONENT_OF, residence_of
from analysis.saturation import CPU, ORDER_PATH, loads
from analysis.series import counter
from loadgen.record import Run

CUT, GROWN, HEALED = 0.85, 1.5, 0.8
Z = 1.96
CANDIDATES = (*ORDER_PATH, "network gateway-ledger", "network gateway-engine", "network gateway-redis", "host")


@dataclass(frozen=True, slots=True)
class Planted:
    """A run of a case with its truth; `parts_s`: before, planted, after → seconds of the measured part."""

    case: str
    component: str
    mechanism: str
    is_held_out: bool
    run: Run
    parts_s: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Judged:
    case: str
    component: str
    mechanism: str
    is_held_out: bool
    hurts: bool
    heals: bool
    said: str
    status: str
    named: tuple[str, ...]
    """Components in the order of suspicion, at most three."""
    named_mechanism: str
    utilisation: str
    growth: str
    three_sigma: str

    @property
    def is_kept(self) -> bool:
        return self.hurts and self.heals


def judged(planted: Planted) -> Judged:
    views = {part: _view(planted.run, *seconds) for part, seconds in planted.parts_s.items()}
    of, before = views["planted"], views.get("before")
    verdict = weighed(of)
    is_accused = verdict.status in (Status.SUSPECTED, Status.PROVEN, Status.HOST, Status.GENERATOR)
    hurts, heals = _effect(views) if before else (True, True)
    return Judged(
        case=planted.case,
        component=planted.component,
        mechanism=planted.mechanism,
        is_held_out=planted.is_held_out,
        hurts=hurts,
        heals=heals,
        said=verdict.sentence,
        status=str(verdict.status),
        named=_named(verdict) if is_accused else (),
        named_mechanism=_mechanism(verdict),
        utilisation=_busiest(of),
        growth=_grown_most(before, of) if before else "",
        three_sigma=_most_odd(before, of) if before else "",
    )


def scored(rows: Sequence[Judged], not_run: Sequence[str]) -> dict[str, Any]:
    planted = [row for row in rows if row.component]
    kept = [row for row in planted if row.is_kept]
    healthy = [row for row in rows if not row.component]
    proven = [row for row in kept if row.status == Status.PROVEN]
    accused = [row for row in healthy if row.status in (Status.SUSPECTED, Status.PROVEN)]
    return {
        "cases": len(planted),
        "kept": len(kept),
        "top1": _share(kept, lambda row: row.named[:1] == (row.component,)),
        "top3": _share(kept, lambda row: row.component in row.named),
        "mechanism": _share(
            kept, lambda row: (row.named[:1], row.named_mechanism) == ((row.component,), row.mechanism)
        ),
        "held_out_top1": _share([r for r in kept if r.is_held_out], lambda row: row.named[:1] == (row.component,)),
        "proven_precision": _share(proven, lambda row: row.named[:1] == (row.component,)),
        "healthy": len(healthy),
        "false_accusations": len(accused),
        "baselines": {
            "random": 1 / len(CANDIDATES),
            "highest_utilisation": _share(kept, lambda row: row.utilisation == row.component),
            "latency_growth": _share(kept, lambda row: row.growth == row.component),
            "three_sigma": _share(kept, lambda row: row.three_sigma == row.component),
        },
        "failures": [asdict(row) for row in (*kept, *healthy) if not _is_right(row)],
        "dropped": [row.case for row in planted if not row.is_kept],
        "not_run": list(not_run),
    }


def _is_right(row: Judged) -> bool:
    if not row.component:
        return row.status not in (Status.SUSPECTED, Status.PROVEN)
    return row.named[:1] == (row.component,) and row.named_mechanism == row.mechanism


def _share(rows: Sequence[Judged], is_right: Any) -> dict[str, Any]:
    """With Wilson's 95 % interval; nothing is known of no cases."""
    count, right = len(rows), sum(1 for row in rows if is_right(row))
    if not count:
        return {"share": None, "right": 0, "of": 0, "low": None, "high": None}
    share, spread = right / count, Z * Z / count
    centre = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return {
        "share": share,
        "right": right,
        "of": count,
        "low": max(0.0, centre - half),
        "high": min(1.0, centre + half),
    }


def _view(run: Run, from_s: float, until_s: float) -> Run:
    start = run.windows[0].measured_from_ns
    return run.narrowed(start + round(from_s * 1e9), start + round(until_s * 1e9))


def _effect(views: Mapping[str, Run]) -> tuple[bool, bool]:
    """Whether the plant hurts, and whether its removal heals."""
    (x0, p0), (x1, p1), (x2, p2) = (_figures(views[part]) for part in ("before", "planted", "after"))
    cut, grown = x1 <= CUT * x0, p1 >= GROWN * p0
    heals = (cut and x2 - x1 >= HEALED * (x0 - x1)) or (grown and p1 - p2 >= HEALED * (p1 - p0))
    return cut or grown, heals


def _figures(run: Run) -> tuple[float, float]:
    """Throughput and p95 (ns; where nothing was answered, without end)."""
    one = configurations(run)[0]
    histogram = latency(run, one)
    p95 = histogram.get_value_at_percentile(95) if histogram.get_total_count() else 1e12
    return one.orders_per_s.value, float(p95)


def _named(verdict: Verdict) -> tuple[str, ...]:
    rest = [f.component for f in verdict.findings if f.status is Bearing.SUSPECTED and f.component in CANDIDATES]
    return tuple(dict.fromkeys([verdict.limit, *rest]))[:3]


def _mechanism(verdict: Verdict) -> str:
    return str(verdict.limits[0].mechanism) if verdict.limits and verdict.limits[0].mechanism else ""


def _busiest(run: Run) -> str:
    found = loads(run, configurations(run)[0])
    return max((name for name in found if name in ORDER_PATH), key=lambda name: found[name].utilisation, default="")


def _grown_most(before: Run, planted: Run) -> str:
    was, now = (residence_of(run, configurations(run)[0]) for run in (before, planted))
    if was is None or now is None:
        return ""
    growth = {stage: now.stages_ms[stage] - was.stages_ms.get(stage, 0.0) for stage in now.stages_ms}
    growth["elsewhere"] = now.elsewhere_ms - was.elsewhere_ms
    return COMPONENT_OF.get(max(growth, key=lambda stage: growth[stage]), "haproxy")


def _most_odd(before: Run, planted: Run) -> str:
    """The component whose CPU or stage time lies the most standard deviations of the time before off its mean then."""
    odd: dict[str, float] = {}
    series: list[tuple[str, str, str, dict[str, str]]] = [(CPU, component, component, {}) for component in ORDER_PATH]
    stages = [
        ("gateway_stage_seconds_sum", "gateway", named, {"stage": stage}) for stage, named in COMPONENT_OF.items()
    ]
    for metric, component, named, labels in (*series, *stages):
        was, now = (counter(run, metric, run.windows[0], component, **labels) for run in (before, planted))
        if was is not None and now is not None:
            off = abs(float(now.mean() - was.mean())) / max(float(np.std(was)), 1e-9)
            odd[named] = max(odd.get(named, 0.0), off)
    return max(odd, key=lambda name: odd[name], default="")
