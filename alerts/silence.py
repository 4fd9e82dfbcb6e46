"""Silence is proven too: a clean soak in bursts, then a near miss for each rule, a lesser fault just below it.

Nothing may reach anybody, though each near miss lasts as long as the fault itself would take to be told. A rule without
one has none that is not its fault already (a process is dead or not). Only a budget that burns not quite fast enough
for one alert is rightly told of by slower ones: those near misses come last, and what they entail is no fault.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alerts.drill import read_drill
from alerts.drilling import BURN_WINDOW_S, Say, Stage, Witness, loaded, predicted_s, staged
from alerts.slo import entailed
from deploy.cluster import ClusterError
from deploy.faults.fault import FaultError, inflicted

BURSTS: dict[str, Any] = {"kind": "bursts", "rate_per_s": 40, "burst_per_s": 200, "calm_s": 2.0, "burst_s": 0.3}
LEAST_S = 8.0
"""Of a near miss: so long any rule with a short `for` has been judged several times, and told of."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Of the soak (longer than the windows of burn-rate alerts), of each near miss (None: as long as its fault would
    take to be told), of the wait after the last one (a group's, and 3 s)."""

    soak_s: float = 75.0
    near_miss_s: float | None = None
    telling_s: float = 7.0


@dataclass(frozen=True, slots=True)
class Silence:
    """`told`: alerts that somebody was told of. `broken`: near misses that could not be held."""

    soak_s: float
    near_misses: tuple[str, ...]
    told: tuple[str, ...]
    broken: tuple[str, ...]


def keep(names: Sequence[str], say: Say, lengths: Lengths = Lengths()) -> Silence:
    """A soak, then the near misses of these drills, on one cluster."""
    broken: list[str] = []
    excused: set[str] = set()
    near = [name for name in names if read_drill(name).near_miss is not None]
    near.sort(key=lambda name: len(entailed({name})))
    with staged(say) as cluster, loaded(cluster, BURSTS, say) as stage:
        witness = Witness(cluster)
        stage.settle("the soak")
        witness.begin(time.time_ns())
        stage.watch(witness, time.monotonic() + lengths.soak_s, lambda: False)
        say(f"soak: {', '.join(alerts_in(witness)) or 'nobody was told anything'}")
        for name in near:
            excused |= entailed({name}) - set(alerts_in(witness))
            broken += held(stage, witness, name, lengths.near_miss_s or lasts_s(name))
        stage.watch(witness, time.monotonic() + lengths.telling_s, lambda: False)
    told = [name for name in alerts_in(witness) if name not in excused]
    return Silence(lengths.soak_s, tuple(near), tuple(told), tuple(broken))


def lasts_s(name: str) -> float:
    """How long a near miss lasts: the latest moment at which its fault would be told, or a burn rate's whole window."""
    drill = read_drill(name)
    return BURN_WINDOW_S if drill.bad_share else max(LEAST_S, predicted_s(name, drill))


def held(stage: Stage, witness: Witness, name: str, for_s: float) -> list[str]:
    """One near miss; why it could not be held, if so."""
    fault, before = read_drill(name).near_miss, alerts_in(witness)
    assert fault is not None
    try:
        with inflicted(stage.cluster, fault):
            stage.watch(witness, time.monotonic() + for_s, lambda: False)
    except (FaultError, ClusterError) as error:
        return [f"{name}: {error}"]
    fresh = [alert for alert in alerts_in(witness) if alert not in before]
    stage.say(f"near miss of {name}, {fault.kind}: {', '.join(fresh) or 'silence'}")
    return []


def alerts_in(witness: Witness) -> list[str]:
    return sorted({told.alert for told in witness.told if told.is_firing})
