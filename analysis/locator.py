"""How often the locator is right: its verdicts on planted limits, beside those of four baselines on the same runs.

A case counts only where the plant hurts (throughput down by 15 %, or p95 up by half) and its removal heals (80 % of
either comes back). Where two limits were planted, either may be named. Intervals are Wilson's, which hold for few cases
and for shares near one. How well the stated confidence is calibrated is Brier's score: the mean square of it less one
where the verdict was right, less nought where it was wrong; proofs and verdicts that name nobody state none. The
baselines: chance, the highest utilisation, the stage whose time grew most, and the component with the most signals
three sigma off.
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
ACCUSING = (Status.SUSPECTED, Status.PROVEN)
BASELINES = ("highest_utilisation", "latency_growth", "three_sigma")
CANDIDATES = (*ORDER_PATH, "network gateway-ledger", "network gateway-engine", "network gateway-redis", "host")


@dataclass(frozen=True, slots=True)
class Planted:
    """A case in a run with its truth, (component, mechanism) of all that was planted; `parts_ns`: before, planted,
    after → from and until."""

    case: str
    severity: int
    truths: tuple[tuple[str, str], ...]
    is_held_out: bool
    run: Run
    parts_ns: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Judged:
    case: str
    severity: int
    truths: tuple[tuple[str, str], ...]
    is_held_out: bool
    hurts: bool
    heals: bool
    said: str
    status: str
    confidence: float | None
    named: tuple[str, ...]
    """Components in the order of suspicion, at most three."""
    named_mechanism: str
    baselines: Mapping[str, str]
    """Name of the baseline → the component that it names."""

    @property
    def components(self) -> tuple[str, ...]:
        return tuple(component for component, _ in self.truths)

    @property
    def is_kept(self) -> bool:
        return bool(self.truths) and self.hurts and self.heals

    @property
    def is_top1(self) -> bool:
        return bool(self.named) and self.named[0] in self.components

    @property
    def is_right(self) -> bool:
        """Component and mechanism; of a healthy one, that nobody is accused."""
        if not self.truths:
            return self.status not in ACCUSING
        return bool(self.named) and (self.named[0], self.named_mechanism) in self.truths


@dataclass(frozen=True, slots=True)
class Tried:
    """What a proof of a planted limit came to. `is_right`: what was proven was planted, or nothing was proven."""

    case: str
    components: tuple[str, ...]
    said: str
    is_proven: bool
    is_right: bool


def tried(case: str, truths: Sequence[tuple[str, str]], run: Run) -> Tried:
    verdict, components = weighed(run), tuple(component for component, _ in truths)
    is_proven = verdict.status is Status.PROVEN
    return Tried(case, components, verdict.sentence, is_proven, not is_proven or verdict.limit in components)


def judged(planted: Planted) -> Judged:
    views = {part: planted.run.narrowed(*edges) for part, edges in planted.parts_ns.items()}
    of, before = views["planted"], views.get("before")
    verdict = weighed(of)
    hurts, heals = _effect(views) if before else (True, True)
    return Judged(
        case=planted.case,
        severity=planted.severity,
        truths=planted.truths,
        is_held_out=planted.is_held_out,
        hurts=hurts,
        heals=heals,
        said=verdict.sentence,
        status=str(verdict.status),
        confidence=verdict.confidence,
        named=_named(verdict) if verdict.status in (*ACCUSING, Status.HOST, Status.GENERATOR) else (),
        named_mechanism=_mechanism(verdict),
        baselines={
            "highest_utilisation": _busiest(of),
            "latency_growth": _grown_most(before, of) if before else "",
            "three_sigma": _most_odd(before, of) if before else "",
        },
    )


def scored(rows: Sequence[Judged], proofs: Sequence[Tried], not_run: Sequence[str]) -> dict[str, Any]:
    planted = [row for row in rows if row.truths]
    kept = [row for row in planted if row.is_kept]
    healthy = [row for row in rows if not row.truths]
    silent = [row for row in (*kept, *healthy) if not row.named]
    held_out = [row for row in kept if row.is_held_out]
    return {
        "cases": len(planted),
        "kept": len(kept),
        **_shares(kept),
        "tuned": _shares([row for row in kept if not row.is_held_out]),
        "held_out": _shares(held_out),
        "proven_precision": _share([each for each in proofs if each.is_proven], lambda each: each.is_right),
        "proofs": [asdict(each) for each in proofs],
        "healthy": len(healthy),
        "false_accusations": sum(row.status in ACCUSING for row in healthy),
        "false_accusations_share": _share(healthy, lambda row: row.status in ACCUSING),
        "abstention_precision": _share(silent, lambda row: not row.truths),
        "abstention_recall": _share(healthy, lambda row: not row.named),
        "brier": _brier([*kept, *healthy]),
        "baselines": {
            "random": 1 / len(CANDIDATES),
            **{name: _share(kept, lambda row, name=name: row.baselines[name] in row.components) for name in BASELINES},
        },
        "by_case": _by_case(kept),
        "failures": [_plain(row) for row in (*kept, *healthy) if not row.is_right],
        "dropped": [f"{row.case}/{row.severity}" for row in planted if not row.is_kept],
        "not_run": list(not_run),
    }


def _shares(kept: Sequence[Judged]) -> dict[str, Any]:
    return {
        "top1": _share(kept, lambda row: row.is_top1),
        "top3": _share(kept, lambda row: set(row.components) <= set(row.named)),
        "mechanism": _share(kept, lambda row: row.is_right),
    }


def _by_case(kept: Sequence[Judged]) -> dict[str, str]:
    """`2 of 3`: how often the component was named first."""
    cases = dict.fromkeys(row.case for row in kept)
    mine = {case: [row for row in kept if row.case == case] for case in cases}
    return {case: f"{sum(row.is_top1 for row in rows)} of {len(rows)}" for case, rows in mine.items()}


def _brier(rows: Sequence[Judged]) -> float | None:
    """Of the rows that state a confidence; who accuses a healthy one is wrong."""
    squares = [(row.confidence - row.is_top1) ** 2 for row in rows if row.confidence is not None]
    return float(np.mean(squares)) if squares else None


def _plain(row: Judged) -> dict[str, Any]:
    return {**asdict(row), "baselines": dict(row.baselines)}


def _share(rows: Sequence[Any], is_right: Any) -> dict[str, Any]:
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
