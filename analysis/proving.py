"""When a limit is proven: four conditions on the elasticities of a run, all of which must hold.

Whoever is blamed gets more, and throughput rises; that of the others moves less; and together the elasticities explain
the whole, so nothing that was not turned can be the limit instead. A component that is busy and innocent suffers from
less as well, therefore the relief counts for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.elasticity import Elasticity, Proof, proof
from analysis.finding import Bearing, Figure, Finding, Interval, Mechanism, in_words, percent
from analysis.measured import Configuration, configurations
from analysis.residence import residence_of
from analysis.saturation import loads
from loadgen.record import Run

ELASTICITY_MIN = 0.5
REST_MAX = 0.25
HOST_BUSY_MAX = 0.85
MECHANISMS = {
    "cpu": Mechanism.QUOTA, "commit": Mechanism.COMMIT, "delay": Mechanism.NETWORK, "replicas": Mechanism.REPLICAS,
    "pool": Mechanism.POOL,
}  # fmt: skip
"""Last word of a lever's name → what is limiting where throughput follows it."""
STAGES = {"ledger": "ledger", "engine": "engine"}
"""Component whose syncs an order waits for → the stage in which it does."""


@dataclass(frozen=True, slots=True)
class Condition:
    holds: bool
    said: str


@dataclass(frozen=True, slots=True)
class Trial:
    """The lever that throughput follows most, and what speaks for and against its being the limit."""

    proof: Proof
    conditions: tuple[Condition, ...]

    @property
    def first(self) -> Elasticity:
        return self.proof.elasticities[0]

    @property
    def is_proven(self) -> bool:
        return all(condition.holds for condition in self.conditions)

    @property
    def mechanism(self) -> Mechanism:
        return MECHANISMS[self.first.lever.rpartition(" ")[2]]

    def _more(self, component: str) -> str:
        is_whole = self.mechanism is Mechanism.REPLICAS
        return f"Add one more of {component}" if is_whole else f"Give the {self.mechanism} of {component} more"

    def finding(self, configuration: Configuration) -> Finding:
        said = "; ".join(condition.said for condition in self.conditions if condition.holds == self.is_proven)
        component = in_words(self.first.component)
        return Finding(
            claim=f"Throughput follows the {self.mechanism} of {component}: {said}"
            if self.is_proven
            else f"No lever is proven to be the limit: {said}",
            component=self.first.component,
            mechanism=self.mechanism,
            status=Bearing.SUSPECTED if self.is_proven else Bearing.NOTED,
            configuration=configuration.name,
            evidence=(
                *(figure for each in self.proof.elasticities for figure in (each.value, each.relief)),
                Figure("not explained by the elasticities", self.proof.rest, ""),
            ),
            doubt="" if self.is_proven and not _crowded(self.proof) else _doubt(self),
            next_step=f"{self._more(component)}: a step more gave {_gain(self.first)}.",
        )


def trial(run: Run, configuration: Configuration) -> Trial | None:
    """None where no lever was turned."""
    found = proof(run, configuration)
    if found is None:
        return None
    first, others = found.elasticities[0], found.elasticities[1:]
    low = _low(first.value)
    rival = others[0] if others else None
    return Trial(found, (
        Condition(low > ELASTICITY_MIN, f"elasticity {_spelled(first.value)}, to be above {ELASTICITY_MIN:g}"),
        Condition(
            rival is None or low > rival.value.value,
            f"next comes {rival.lever} with {rival.value.value:.2f}" if rival else "no other lever was there to turn",
        ),
        Condition(_low(first.relief) > 1, f"more of it gave {_gain(first)} ({_spelled(first.relief)} times)"),
        Condition(
            abs(found.rest) < REST_MAX, f"elasticities and think time leave {found.rest:+.2f} of one unexplained"
        ),
    ))  # fmt: skip


def interventions(run: Run) -> list[Finding]:
    """What the turned levers showed, proven or not."""
    return [tried.finding(each) for each in configurations(run) if (tried := trial(run, each)) is not None]


def unprovable(passive: Run) -> str | None:
    """Why no levers are turned after a campaign's own run, for people; None where they may be."""
    if passive.status != "complete":
        return f"nothing is proven: the campaign's own run is {passive.status}"
    if not passive.reconciled:
        return "nothing is proven: the campaign's own run broke a promise"
    return None


def likeliest(run: Run, configuration: Configuration, levers: Sequence[str]) -> list[str]:
    """The levers (`gateway cpu`) in the order in which telemetry alone suggests them."""
    return sorted(levers, key=lambda lever: _suspicion(run, configuration, lever), reverse=True)


def _suspicion(run: Run, configuration: Configuration, lever: str) -> float:
    component, _, what = lever.rpartition(" ")
    time, busy = residence_of(run, configuration), loads(run, configuration).get(component)
    match what:
        case "cpu" | "replicas" if busy is not None:
            return max(busy.utilisation, busy.throttled_share or 0.0)
        case "commit" | "pool" if time is not None:
            return time.share(STAGES[component])
        case "delay" if time is not None:
            return max(time.share(stage) for stage in time.stages_ms)
    return 0.0


def _low(figure: Figure) -> float:
    return figure.interval.low if figure.interval else float("-inf")


def _spelled(figure: Figure) -> str:
    interval = figure.interval or Interval(figure.value, figure.value, "")
    return f"{figure.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def _gain(each: Elasticity) -> str:
    return f"{100 * (each.relief.value - 1):+.0f} % throughput"


def _crowded(found: Proof) -> bool:
    return any(each.host_busy > HOST_BUSY_MAX for each in found.elasticities)


def _doubt(tried: Trial) -> str:
    said = [f"Does not hold: {each.said}." for each in tried.conditions if not each.holds]
    if _crowded(tried.proof):
        busiest = max(each.host_busy for each in tried.proof.elasticities)
        said.append(f"The host was {percent(busiest)} busy in an arm, so levers may act on each other through it.")
    return " ".join(said)
