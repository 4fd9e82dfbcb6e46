"""Limits planted on purpose, so that whoever names limits can be scored: many cases in one window, calm between them.

Each case lasts some seconds of a window, with the cluster as it is before and after it. So whether the plant hurts, and
whether its removal heals, is seen under the same load and beside it in time. Of a case that is a setting of its own (a
healthy one, a starved generator) the whole window is looked at, in parts of the same length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from deploy.cluster import ClusterError
from deploy.faults.catalogue import fault_from
from deploy.faults.fault import FaultError
from deploy.levers import available
from loadgen.bench.planted import BY_NAME, OVERRIDES, SEVERITIES, Case, Setting
from loadgen.campaign import Campaign, Prove
from loadgen.collect import CollectError
from loadgen.generator import GeneratorError
from loadgen.run import cluster_for, run_campaign
from loadgen.window import Progress

CALM_S, PLANTED_S = 5.0, 6.0
SETTLED_S, EDGE_S = 1.0, 0.2
"""Left out after each change; and a little before the next one."""
PROOF_TURN_S, PROOF_SETTLED_S = 2.5, 0.5
SESSION_MAX = 12
"""Plants in a window."""
PREFIX, PROOF_PREFIX = "locator_", "proves_"
TOPOLOGY = "proving"


@dataclass(frozen=True, slots=True)
class Session:
    """One window: `plants` are (case, severity) in their order; of a setting's own case, `parts` of its window."""

    setting: Setting
    number: int
    plants: tuple[tuple[Case, int], ...] = ()
    parts: int = 0

    @property
    def duration_s(self) -> float:
        return CALM_S + len(self.plants) * (PLANTED_S + CALM_S) + self.parts * PLANTED_S


@dataclass(frozen=True, slots=True)
class Segment:
    """`parts_ns`: before, planted, after → from and until; without a plant only "planted"."""

    case: Case
    severity: int
    parts_ns: Mapping[str, tuple[int, int]]


def sessions(cases: Sequence[Case], severities: Sequence[int], seed: int, parts: int) -> list[Session]:
    """Plants in an order drawn from the seed; `parts`: how often a case without a plant is looked at."""
    plants = [(case, severity) for case in cases for severity in severities if _has(case, severity)]
    Random(f"{seed}/plants").shuffle(plants)
    found: list[Session] = []
    for setting in {case.setting.name: case.setting for case, _ in plants}.values():
        mine = [each for each in plants if each[0].setting.name == setting.name]
        for first in range(0, len(mine), SESSION_MAX):
            found.append(Session(setting, len(found) + 1, tuple(mine[first : first + SESSION_MAX])))
    for case in cases:
        if not case.severities:
            found.append(Session(case.setting, len(found) + 1, parts=parts))
    return found


def _has(case: Case, severity: int) -> bool:
    return bool(case.severities) and case.planted(severity) is not None


def run_sessions(planned: Sequence[Session], runs: Path, directory: Path, seed: int, say: Progress) -> Iterator[str]:
    """Each on one cluster, one sealed run each; yields the names of cases that could not be run."""
    with cluster_for(campaign(planned[0], seed).plan()[0].topology, directory, say):
        for session in planned:
            names = [case.name for case, _ in session.plants] or [session.setting.name]
            say(f"session {session.number} of {len(planned)}, {session.duration_s:.0f} s: {', '.join(names)}")
            try:
                run_campaign(campaign(session, seed), runs, directory, _silent, _silent, attempts_max=1)
            except (GeneratorError, ClusterError, FaultError, CollectError) as error:
                say(f"  could not be run: {error}")
                yield from names


def _silent(_: object) -> None:
    pass


def campaign(session: Session, seed: int) -> Campaign:
    setting = session.setting
    return Campaign.model_validate({
        "name": f"{PREFIX}{setting.name}", "title": f"Planted limits, {setting.name} load, window {session.number}",
        "topology": TOPOLOGY, "seed": seed, "overrides": {**OVERRIDES, **setting.overrides},
        "load": {
            "users": setting.users, "think_time_s": setting.think_s, "warm_up_s": 3, "timeout_s": 10,
            "duration_s": session.duration_s,
        },
        "flow": setting.flow,
        "faults": [
            {
                "at_s": CALM_S + at * (PLANTED_S + CALM_S), "for_s": PLANTED_S,
                "fault": fault.model_dump(mode="json"),
            }
            for at, (case, severity) in enumerate(session.plants)
            for fault in case.planted(severity) or ()
        ],
    })  # fmt: skip


def to_be_proven(case: Case, seed: int) -> Campaign:
    """The middle severity as a condition of the whole campaign, and every lever but those of what was planted."""
    setting = case.setting
    found = Campaign.model_validate({
        "name": f"{PROOF_PREFIX}{case.name}", "title": f"Prove {case.name}", "topology": TOPOLOGY, "seed": seed,
        "overrides": {**OVERRIDES, **setting.overrides},
        "load": {
            "users": setting.users, "think_time_s": setting.think_s, "warm_up_s": 2, "timeout_s": 10, "duration_s": 8,
        },
        "flow": setting.flow,
        "standing": [fault.model_dump(mode="json") for fault in case.planted(SEVERITIES // 2) or ()],
    })  # fmt: skip
    levers = tuple(lever.name for lever in available(found.plan()[0].topology, ()))
    return found.model_copy(update={"prove": Prove(levers=levers, turn_s=PROOF_TURN_S, settle_s=PROOF_SETTLED_S)})


def proven_case(document: Mapping[str, Any]) -> Case | None:
    """Of which a run is the proof, by its campaign; None of any other run."""
    return _recognised(document["standing"])[0] if document["name"].startswith(PROOF_PREFIX) else None


def segments(
    document: Mapping[str, Any], events: Sequence[Mapping[str, Any]], span_ns: tuple[int, int]
) -> list[Segment]:
    """What was planted when in a run: its campaign, its events, and the measured part of its window."""
    faults = document["faults"]
    if not faults:
        own = BY_NAME.get(document["name"].removeprefix(PREFIX)) or BY_NAME["generator_quota"]
        return _parts(own, span_ns)
    struck, reverted = (sorted(e["t_ns"] for e in events if e["kind"] == kind) for kind in ("struck", "reverted"))
    moments = sorted({fault["at_s"] for fault in faults})
    planted = [[fault["fault"] for fault in faults if fault["at_s"] == at_s] for at_s in moments]
    ends: list[tuple[int, int]] = []
    for plants in planted:
        first = sum(len(each) for each in planted[: len(ends)])
        ends.append((struck[first + len(plants) - 1], reverted[first]))
    found = []
    for number, plants in enumerate(planted):
        case, severity = _recognised(plants)
        before = ends[number - 1][1] if number else span_ns[0] - _ns(SETTLED_S)
        after = ends[number + 1][0] if number + 1 < len(ends) else span_ns[1]
        begun, over = ends[number]
        found.append(Segment(case, severity, {
            "before": (before + _ns(SETTLED_S), begun - _ns(EDGE_S)),
            "planted": (begun + _ns(SETTLED_S), over),
            "after": (over + _ns(SETTLED_S), after - _ns(EDGE_S)),
        }))  # fmt: skip
    return found


def _parts(case: Case, span_ns: tuple[int, int]) -> list[Segment]:
    first = span_ns[0] + _ns(CALM_S)
    count = (span_ns[1] - first) // _ns(PLANTED_S)
    edges = [first + number * _ns(PLANTED_S) for number in range(count + 1)]
    return [Segment(case, SEVERITIES // 2, {"planted": edge}) for edge in pairwise(edges)]


def _recognised(plants: Sequence[Mapping[str, Any]]) -> tuple[Case, int]:
    """Raises ValueError for what no case plants."""
    faults = tuple(fault_from(plant) for plant in plants)
    for case in BY_NAME.values():
        for severity in range(SEVERITIES):
            if case.severities and case.planted(severity) == faults:
                return case, severity
    raise ValueError(f"no case plants {plants}; the run is of another version of the bench")


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
