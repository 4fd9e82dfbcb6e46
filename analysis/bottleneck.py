"""Weighs the findings of a run into one verdict: what limits throughput, how sure that is, what would make it surer.

The evidence is taken in the order of its strength: first whether the system was measured at all, or the generator; then
whether anything limits at this load; then full processors, the host's or a component's; then waiting without them. What
nothing explains is "unclear". Proven is only what interventions have shown: `proving` weighs those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from analysis.answers import answers
from analysis.connections import connections
from analysis.demand import demand
from analysis.drift import drift
from analysis.finding import Bearing, Figure, Finding, Mechanism, in_words
from analysis.load import load
from analysis.measured import Configuration, configurations
from analysis.memory import memory
from analysis.proving import interventions, trial
from analysis.redis_work import redis_work
from analysis.residence import residence
from analysis.run_queue import run_queue
from analysis.saturation import ORDER_PATH, saturation
from analysis.scaling import scaling
from analysis.skew import skew
from analysis.slo import capacities, headline, slo
from analysis.statements import statements
from analysis.throttle import throttle
from analysis.validity import validity
from analysis.waits import waits
from analysis.wal import wal
from loadgen.record import Run

ANALYSES: tuple[Callable[[Run], list[Finding]], ...] = (
    validity, throttle, saturation, skew, demand, residence, waits, wal, statements, connections, redis_work, run_queue,
    answers, memory, scaling, load, drift, slo, interventions,
)  # fmt: skip
PROCESSOR = (Mechanism.CPU, Mechanism.QUOTA, Mechanism.SKEW, Mechanism.SLOW_COMMAND)
WAITING = (
    Mechanism.COMMIT, Mechanism.POOL, Mechanism.LOCK, Mechanism.RESPONSE, Mechanism.NETWORK, Mechanism.STATEMENT,
    Mechanism.DATA_FILES,
)  # fmt: skip
MANY = (Mechanism.LOCK, Mechanism.CONNECTIONS, Mechanism.DATA_FILES)
"""Spelled in the plural."""
CONTEXT = (Mechanism.SCALING, Mechanism.LOAD, Mechanism.DRIFT)
"""These findings say how throughput behaves, and name nobody by themselves."""
OUTWEIGHS = 2.0
"""A wait this many times as long as that for a processor is no fault of a full host."""
BESIDE = 0.05
"""A component this much (as a share) busier than the host is told apart from it."""


class Status(StrEnum):
    PROVEN = "proven"
    SUSPECTED = "suspected"
    NO_LIMIT = "no limit at this load"
    GENERATOR = "generator"
    HOST = "host"
    UNCLEAR = "unclear"


CONFIDENCE = {Status.SUSPECTED: 0.9, Status.GENERATOR: 0.9, Status.HOST: 0.7}
"""Only of verdicts that name somebody by telemetry: those the locator's bench scores (Brier). Proofs are too few for a
number, and where nobody is named there is none to score."""
CONFIDENCE_WITH_RIVALS = 0.7
"""Where another component is suspected as well."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The verdict on one configuration; `reason` is the finding it rests on."""

    configuration: Configuration
    component: str
    mechanism: Mechanism | None
    status: Status
    reason: Finding | None

    @property
    def name(self) -> str:
        """For a table's cell: "CPU of the gateways", "commit path of Postgres"."""
        if self.status not in (Status.PROVEN, Status.SUSPECTED):
            return str(self.status)
        return f"{self.mechanism} of {in_words(self.component)}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """On the whole run, speaking of the configuration that carried most. `limit` is a component, or the status."""

    limit: str
    status: Status
    sentence: str
    evidence: tuple[Figure, ...]
    doubt: tuple[str, ...]
    next: str
    limits: tuple[Limit, ...]
    findings: tuple[Finding, ...]
    confidence: float | None = None
    """That `limit` is right, scored by the locator's bench; None where that scores no number."""


def verdict(run: Run) -> Verdict:
    return weighed(run) if run.valid else _invalid(run)


def weighed(run: Run) -> Verdict:
    """What the evidence says of the system, whether or not machine and generator were good enough to be believed."""
    findings = tuple(finding for analysis in ANALYSES for finding in analysis(run))
    missed = {probe.window for capacity in capacities(run) for probe in capacity.missed}
    limits = tuple(
        _proven(run, _limit(each, findings, misses_slo=any(window.name in missed for window in each.windows)))
        for each in configurations(run)
    )
    if not any(limit.configuration.orders or limit.mechanism is Mechanism.LOCK for limit in limits):
        return _nothing_carried(limits, findings)
    best = _deciding(run, limits)
    return Verdict(
        limit=best.component,
        status=best.status,
        sentence=_sentence(run, best, limits, findings),
        evidence=_evidence(best, findings),
        doubt=_doubt(best, findings),
        next=_next(best),
        limits=limits,
        findings=findings,
        confidence=_confidence(best, findings),
    )


def _deciding(run: Run, limits: Sequence[Limit]) -> Limit:
    """Where most was carried; of a search, where the largest configuration first missed its SLO by a limit."""
    of = {window.name: limit for limit in limits for window in limit.configuration.windows}
    missed = [of[probe.window] for capacity in capacities(run)[-1:] for probe in capacity.missed]
    if missed:
        return next((limit for limit in missed if limit.status is not Status.UNCLEAR), missed[0])
    return max(limits, key=lambda limit: limit.configuration.orders_per_s.value)


def label(configuration: Configuration) -> str:
    """A configuration in words: `4 gateways`, `shards=3, users=80`."""
    if list(configuration.parameters) == ["gateways"]:
        count = configuration.parameters["gateways"]
        return f"{count} gateway{'s' if count != 1 else ''}"
    return in_parameters(configuration.parameters) or configuration.name


def in_parameters(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.rpartition('.')[2]}={value}" for name, value in parameters.items())


def _limit(configuration: Configuration, findings: Sequence[Finding], *, misses_slo: bool = False) -> Limit:
    """`misses_slo`: a search was answered too late there, so something limits though all may have been carried."""
    mine = [finding for finding in findings if finding.configuration == configuration.name]
    suspects = [finding for finding in mine if finding.status is Bearing.SUSPECTED]

    def settled(status: Status, finding: Finding) -> Limit:
        component = finding.component if status is Status.SUSPECTED else str(status)
        return Limit(configuration, component, finding.mechanism, status, finding)

    generator = [f for f in suspects if f.component == "generator"]
    if generator:
        return settled(Status.GENERATOR, generator[0])
    throttled = [f for f in suspects if f.mechanism is Mechanism.THROTTLE]
    if throttled:
        return settled(Status.SUSPECTED, throttled[0])
    full = sorted(
        (f for f in suspects if f.mechanism in PROCESSOR and f.component in ORDER_PATH), key=_share, reverse=True
    )
    idle = [f for f in suspects if f.mechanism is Mechanism.LOAD]
    if idle and not misses_slo and (not full or configuration.rate_per_s is not None):
        return settled(Status.NO_LIMIT, idle[0])
    waiting = sorted((f for f in suspects if f.mechanism in WAITING), key=_share, reverse=True)
    locked = [f for f in waiting if f.mechanism is Mechanism.LOCK]
    if locked and not configuration.orders:
        return settled(Status.SUSPECTED, locked[0])
    if waiting and not full and _outweighs(waiting[0], mine):
        return settled(Status.SUSPECTED, waiting[0])
    host = [f for f in suspects if f.component == "host"]
    stopped = bool(full) and full[0].mechanism is Mechanism.QUOTA
    if host and not stopped and (not full or _share(full[0]) < _share(host[0]) + 100 * BESIDE):
        return settled(Status.HOST, host[0])
    if full:
        return settled(Status.SUSPECTED, full[0])
    if waiting:
        return settled(Status.SUSPECTED, waiting[0])
    return Limit(configuration, str(Status.UNCLEAR), None, Status.UNCLEAR, None)


def _proven(run: Run, limit: Limit) -> Limit:
    """What the interventions have shown takes the place of what evidence alone suggests."""
    tried = trial(run, limit.configuration)
    if tried is None or not tried.is_proven:
        return limit
    reason = tried.finding(limit.configuration)
    return Limit(limit.configuration, reason.component, reason.mechanism, Status.PROVEN, reason)


def _outweighs(waiting: Finding, mine: Sequence[Finding]) -> bool:
    """Whether orders wait there far longer than for a processor; False where the latter is not known."""
    delays = [f.evidence[0].value for f in mine if f.mechanism is Mechanism.RUN_QUEUE]
    return bool(delays) and waiting.evidence[0].value > OUTWEIGHS * delays[0]


def _share(finding: Finding) -> float:
    """Of a full processor: percent of what it may use, or of the periods in which it was stopped; else as it comes."""
    return max(f.value for f in finding.evidence[: 2 if finding.mechanism is Mechanism.QUOTA else 1])


def _sentence(run: Run, best: Limit, limits: Sequence[Limit], findings: Sequence[Finding]) -> str:
    if searched := headline(run):
        return f"{searched}; beyond that {_as_clause(best.name)}."
    carried = f"{best.configuration.orders_per_s.value:,.0f} orders/s{_where(run, best.configuration)}"
    limits_it = "limit" if best.mechanism in MANY else "limits"
    match best.status:
        case Status.PROVEN:
            sentence = f"Proven: the {best.name} {limits_it} the cluster to {carried}"
        case Status.SUSPECTED:
            sentence = f"Suspected: the {best.name} {limits_it} the cluster to {carried}"
        case Status.HOST:
            sentence = f"The host is the limit: its {run.machine.cores} cores were full at {carried}"
        case Status.GENERATOR:
            sentence = f"The load generator was the limit at {carried}; the system may carry more"
        case Status.NO_LIMIT:
            sentence = f"No limit at this load: all that was offered was carried, {carried}"
        case Status.UNCLEAR:
            sentence = f"Unclear what limits the cluster to {carried}: nothing that was measured is full"
            sentence += _offered(best.configuration, findings)
    return sentence + _elsewhere(best, limits) + _falling(best, limits) + "."


def _offered(configuration: Configuration, findings: Sequence[Finding]) -> str:
    """Of an open loop, how much of it was carried: where that is all, only its tail is unexplained."""
    if configuration.rate_per_s is None:
        return ""
    return "".join(
        f"; {f.claim}" for f in findings if f.configuration == configuration.name and f.mechanism is Mechanism.LOAD
    )


def _where(run: Run, configuration: Configuration) -> str:
    """The configuration; of a proof, which has but one, that of the campaign that it proves."""
    proven = (run.campaign.get("prove") or {}).get("configuration") or {}
    words = label(configuration) if configuration.parameters else in_parameters(proven)
    return f" with {words}" if words else ""


def _elsewhere(best: Limit, limits: Sequence[Limit]) -> str:
    """Says where another configuration has another limit: the limit moves as the cluster grows."""
    groups: dict[str, list[str]] = {}
    for limit in limits:
        if limit.name != best.name and limit.configuration.orders:
            groups.setdefault(limit.name, []).append(label(limit.configuration))
    parts = [f"with {' and '.join(names)} {_as_clause(name)}" for name, names in groups.items()]
    return f"; {', '.join(parts)}" if parts else ""


def _falling(best: Limit, limits: Sequence[Limit]) -> str:
    """Says where the largest configuration carries clearly less than the best: it grew past its peak."""
    last, peak = limits[-1].configuration, best.configuration.orders_per_s
    if not (peak.interval and last.orders_per_s.interval) or last.orders_per_s.interval.high >= peak.interval.low:
        return ""
    return f"; {label(last)} carry less, {last.orders_per_s.value:,.0f} orders/s"


def _as_clause(name: str) -> str:
    if name == Status.NO_LIMIT:
        return "nothing limits at this load"
    if name == Status.UNCLEAR:
        return "the limit is unclear"
    return f"it is the {name}"


def _evidence(best: Limit, findings: Sequence[Finding]) -> tuple[Figure, ...]:
    """The throughput, the figures of the finding that decided, and what sweep and model say of the same place."""
    mine = [f for f in findings if f.configuration == best.configuration.name and f is not best.reason]
    context = [
        f for f in mine if f.mechanism is Mechanism.SCALING or f.component in ("host", "generator", "order path")
    ]
    figures = [figure for finding in context for figure in finding.evidence if figure.unit != "users"]
    return (best.configuration.orders_per_s, *(best.reason.evidence if best.reason else ()), *figures)


def _confidence(best: Limit, findings: Sequence[Finding]) -> float | None:
    if best.status is Status.SUSPECTED and _rivals(best, findings):
        return CONFIDENCE_WITH_RIVALS
    return CONFIDENCE.get(best.status)


def _rivals(best: Limit, findings: Sequence[Finding]) -> list[Finding]:
    """What else is suspected in the verdict's own configuration."""
    return [
        f for f in findings
        if f.configuration in ("", best.configuration.name)
        and f.status is Bearing.SUSPECTED and f.mechanism not in CONTEXT and f.component != best.component
    ]  # fmt: skip


def _doubt(best: Limit, findings: Sequence[Finding]) -> tuple[str, ...]:
    mine = [f for f in findings if f.configuration in ("", best.configuration.name) and f is not best.reason]
    said = [best.reason.doubt] if best.reason and best.reason.doubt else []
    if rivals := _rivals(best, findings):
        said.append("Suspected as well: " + "; ".join(f.claim for f in rivals) + ".")
    known = ("order path",) if best.mechanism in WAITING else ()  # that orders wait without CPU is what was found
    noted = [f for f in mine if f.status in (Bearing.MISSING, Bearing.NOTED) and f.component not in known]
    said += [f.doubt for f in noted if f.doubt]
    if best.component == "gateway":
        said += [f"{f.claim}." for f in mine if f.mechanism is Mechanism.SCALING and f.status is Bearing.CLEARED]
    return tuple(dict.fromkeys(said))


def _next(best: Limit) -> str:
    if best.reason and best.reason.next_step:
        return best.reason.next_step
    if best.status is Status.NO_LIMIT:
        return "Offer more load, until throughput stops following it."
    return "Change the capacity of one component at a time and see which one throughput follows."


def _invalid(run: Run) -> Verdict:
    """A run in which the generator or the machine was at fault says nothing about the system."""
    blamed = {reason.blames for reason in run.reasons}
    status = Status.GENERATOR if "generator" in blamed else Status.HOST
    return Verdict(
        limit=str(status),
        status=status,
        sentence=f"INVALID run, no verdict on the system: {'; '.join(r.sentence.rstrip('.') for r in run.reasons)}.",
        evidence=(),
        doubt=(),
        next="Remove the cause and run the campaign again: give the generator more CPU, or the machine quiet.",
        limits=(),
        findings=tuple(validity(run)),
    )


def _nothing_carried(limits: tuple[Limit, ...], findings: tuple[Finding, ...]) -> Verdict:
    return Verdict(
        limit=str(Status.UNCLEAR),
        status=Status.UNCLEAR,
        sentence="Not one order was carried, so there is no throughput to explain.",
        evidence=(),
        doubt=("The errors say more than any figure here.",),
        next="Look at the errors by kind and at the events of the run, then run one gateway alone.",
        limits=limits,
        findings=findings,
    )
