"""The tests of `analysis.claims`: each looks at one run, or one bench, and judges one claim, or says nothing (None)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from analysis import intervals
from analysis.bottleneck import Status, verdict
from analysis.capacity import BoundBy, topology_of
from analysis.elasticity import proof
from analysis.finding import Figure
from analysis.measured import Configuration, configurations, latency
from analysis.saturation import loads
from analysis.series import counter
from analysis.throttle import THROTTLED
from analysis.validity import host_share
from loadgen.record import Run

HOST_FULL = 0.9
P99_SLO_MS = 100.0
SLO_PER_S, SLO_ERRORS = 500.0, 0.001
FOLLOWS = 0.25
"""Elasticity below which throughput does not follow a capacity."""
SLO_MEASURED_S = 60.0
RISK_CHECK = "gateway_risk_check_seconds"
SCRAPED = "gateway_event_loop_lag_seconds"
NANOSECONDS_S = 1e-6
"""Read "in nanoseconds" as below a microsecond."""


class Standing(StrEnum):
    SUPPORTED = "supported"
    REFUTED = "refuted"
    NOT_TESTABLE = "not testable here"
    NOT_YET = "not yet tested"


@dataclass(frozen=True, slots=True)
class Judgement:
    standing: Standing
    said: str


def hft_scaling(run: Run) -> Judgement | None:
    """The shape: four gateways carry more than one, but not four times it, and eight less than four."""
    by = {c.topology: c for c in _swept_gateways(run)}
    if not {1, 4, 8} <= set(by):
        return None
    one, four, eight = (by[n].figure for n in (1, 4, 8))
    gain, fall = _ratio(four, one), _ratio(eight, four)
    said = f"4 to 1 gateways: {gain.value:.2f} (document 1.19), 8 to 4: {fall.value:.2f} (0.85)"
    if gain.interval is None or fall.interval is None:
        return None
    if gain.interval.low > 1 and gain.interval.high < 4 and fall.interval.high < 1:
        return Judgement(Standing.SUPPORTED, said)
    fullest = max((each.configuration for each in by.values()), key=lambda each: host_share(run, each))
    if gain.interval.high >= 1 >= fall.interval.low:
        return Judgement(Standing.NOT_TESTABLE, f"{said}: the intervals leave it open; {_host(run, fullest)}")
    full = host_share(run, fullest) > HOST_FULL
    return Judgement(Standing.NOT_TESTABLE if full else Standing.REFUTED, f"{said}; {_host(run, fullest)}")


def hft_pg_ceiling(run: Run) -> Judgement | None:
    """Only where nobody but the host is bounded: under quotas, or on a slowed disk, the campaign chose the limit. And
    only by a proof: a suspicion neither supports nor refutes."""
    found = configurations(run)
    chosen = any(_quotas(run, each) for each in found) or run.campaign.get("standing")
    if chosen or (run.interventions.empty and not _swept_gateways(run)):
        return None
    named = verdict(run)
    said = f"limit at {max(each.orders_per_s.value for each in found):,.0f} orders/s: {named.limit} ({named.status})"
    if named.status is not Status.PROVEN:
        return Judgement(Standing.NOT_TESTABLE, f"{said}; only a proof decides")
    return Judgement(Standing.SUPPORTED if named.limit == "ledger" else Standing.REFUTED, said)


def hft_redis(run: Run) -> Judgement | None:
    """From the CPU of its one thread: what it would carry if it had a core and nothing else was in the way."""
    return _ceiling(run, "redis", 10_000.0, configurations(run))


def hft_not_network(run: Run) -> Judgement | None:
    """From a proof in which the delay of a hop was turned: throughput that does not follow it is not limited by it."""
    for each in configurations(run):
        tried = proof(run, each)
        hops = [e for e in tried.elasticities if e.lever.endswith(" delay")] if tried else []
        for hop in hops:
            span = hop.value.interval
            if span is None:
                continue
            said = f"elasticity on the {hop.lever}: {hop.value.value:.2f} ({span.low:.2f} to {span.high:.2f})"
            if span.high < FOLLOWS:
                return Judgement(Standing.SUPPORTED, said)
            if span.low > FOLLOWS:
                return Judgement(Standing.REFUTED, said)
    return None


def hft_gateway(run: Run) -> Judgement | None:
    return _ceiling(run, "gateway", 3_000.0, [each for each in configurations(run) if _gateways(run, each) == 1])


def hft_gateway_alone(rate: float) -> Judgement:
    standing = Standing.SUPPORTED if rate >= 3_000 else Standing.REFUTED
    return Judgement(standing, f"one gateway on a core of its own: {rate:,.0f} orders/s, 3,000 to 5,000 claimed")


def hft_engine(rate: float) -> Judgement:
    standing = Standing.SUPPORTED if rate >= 100_000 else Standing.REFUTED
    return Judgement(standing, f"{rate:,.0f} orders/s over a gRPC stream, each on disk first; 100,000 claimed")


def hft_shard(run: Run) -> Judgement | None:
    """As a ratio to one shard, with all else alike; the document goes from 3,163 to 8,000 at least."""
    pairs = [
        (one, three)
        for one in configurations(run)
        for three in configurations(run)
        if one.parameters.get("ledger.shards") == 1 and dict(three.parameters) == {**one.parameters, "ledger.shards": 3}
    ]
    if not pairs:
        return None
    one, three = max(pairs, key=lambda pair: pair[1].orders_per_s.value)
    gain = _ratio(three.orders_per_s, one.orders_per_s)
    if gain.interval is None:
        return None
    span = f"{gain.interval.low:.2f} to {gain.interval.high:.2f}"
    said = f"three shards carry {gain.value:.2f} times one ({span}), 2.53 claimed"
    if any(fault["kind"] == "slow_sync" for fault in run.campaign.get("standing", ())):
        said += ", on disks slowed so that commits are the limit"
    if gain.interval.low >= 8_000 / 3_163:
        return Judgement(Standing.SUPPORTED, said)
    if host_share(run, three) > HOST_FULL:
        return Judgement(Standing.NOT_TESTABLE, f"{said}; {_host(run, three)}")
    return Judgement(Standing.REFUTED, said) if gain.interval.high < 8_000 / 3_163 else None


def aws_slo(run: Run) -> Judgement | None:
    for each in configurations(run):
        if each.rate_per_s is None or each.rate_per_s < SLO_PER_S or each.rate_per_s > 1.2 * SLO_PER_S:
            continue
        p99_ms = latency(run, each, endpoint=None).get_value_at_percentile(99) / 1e6
        kept = p99_ms < P99_SLO_MS and each.error_share <= SLO_ERRORS
        said = f"{each.rate_per_s:,.0f} requests/s offered for {each.measured_s:.0f} s: p99 {p99_ms:.1f} ms"
        said += f", {100 * each.error_share:.2f} % errors; {_host(run, each)}"
        if kept and each.measured_s < SLO_MEASURED_S:
            return Judgement(Standing.NOT_YET, f"{said}; that is too short, {SLO_MEASURED_S:.0f} s are the least")
        return Judgement(Standing.SUPPORTED if kept else Standing.REFUTED, said)
    return None


def aws_throttle(run: Run) -> Judgement | None:
    """Offered at least twice the throttle: what is admitted fills it and keeps the SLO, and the rest is refused at once
    with 429, all but as many as the SLO allows to fail."""
    for each in configurations(run):
        limit = topology_of(run, each.windows[0]).limits.total_per_s if run.topologies[each.windows[0].name] else None
        if limit is None or each.rate_per_s is None or each.rate_per_s < 2 * limit:
            continue
        p99_ms = latency(run, each, endpoint=None).get_value_at_percentile(99) / 1e6
        admitted = each.outcomes.get("ok", 0) / each.measured_s
        failed = sum(count for kind, count in each.errors.items() if kind != THROTTLED) / sum(each.fates.values())
        kept = p99_ms < P99_SLO_MS and 0.9 * limit <= admitted <= 1.1 * limit and failed <= SLO_ERRORS
        said = f"{each.rate_per_s:,.0f}/s offered, {admitted:,.0f}/s admitted of {limit} allowed, p99 {p99_ms:.1f} ms"
        said += f", {100 * failed:.2f} % neither admitted nor told 429"
        return Judgement(Standing.SUPPORTED if kept else Standing.REFUTED, f"{said}; {_host(run, each)}")
    return None


def aws_metrics(run: Run) -> Judgement | None:
    """How far apart the samples of the gateways really lie."""
    samples = run.series(SCRAPED, run.windows[0], "gateway") if SCRAPED in run.metrics else None
    if samples is None or samples.empty:
        return None
    apart = samples.drop_duplicates(["instance", "t_ns"]).groupby("instance")["t_ns"].diff().dropna() / 1e9
    if apart.empty:
        return None
    seconds = float(apart.median())
    standing = Standing.SUPPORTED if seconds < 1 else Standing.REFUTED
    return Judgement(standing, f"samples of the gateways lie {1e3 * seconds:,.0f} ms apart (median)")


def cf_state(run: Run) -> Judgement | None:
    """The mean time of the whole check, Python and all, by where the state is kept. The read is a part of
    it and not timed by itself, so a check of microseconds refutes no read in nanoseconds."""
    kept = {str(each.parameters.get("risk.portfolio")): _check_s(run, each) for each in configurations(run)}
    memory, remote = kept.get("memory"), [kept[name] for name in ("redis", "postgres") if kept.get(name)]
    if memory is None or not remote:
        return None
    said = ", ".join(f"{name} {1e6 * seconds:,.1f} µs" for name, seconds in kept.items() if seconds is not None)
    if memory < NANOSECONDS_S:
        return Judgement(Standing.SUPPORTED, f"the whole check takes in {said}")
    return Judgement(Standing.NOT_TESTABLE, f"the whole check takes in {said}; the read alone is not timed")


@dataclass(frozen=True, slots=True)
class _Swept:
    topology: int
    configuration: Configuration

    @property
    def figure(self) -> Figure:
        return self.configuration.orders_per_s


def _swept_gateways(run: Run) -> list[_Swept]:
    found = configurations(run)
    if any(list(each.parameters) != ["gateways"] or not each.orders for each in found) or len(found) < 2:
        return []
    return [_Swept(int(each.parameters["gateways"]), each) for each in found]


def _gateways(run: Run, configuration: Configuration) -> int | None:
    window = configuration.windows[0]
    return topology_of(run, window).gateways.replicas if run.topologies[window.name] else None


def _quotas(run: Run, configuration: Configuration) -> bool:
    return any(load.capacity.bound_by is BoundBy.QUOTA for load in loads(run, configuration).values())


def _ceiling(run: Run, component: str, claimed_per_s: float, among: Sequence[Configuration]) -> Judgement | None:
    """Orders that one core of the component carries, by its CPU an order where it carried most, against the claim: it
    takes the whole interval on one side of it to decide. None under quotas."""
    found = [each for each in among if each.orders and not _quotas(run, each)]
    if not found:
        return None
    best = max(found, key=lambda each: each.orders_per_s.value)
    load = loads(run, best).get(component)
    if load is None or load.demand_us.value <= 0 or load.demand_us.interval is None:
        return None
    span = load.demand_us.interval
    low = 1e6 / span.high
    high = 1e6 / span.low if span.low > 0 else float("inf")
    said = f"{load.demand_us.value:.0f} µs of CPU an order: {1e6 / load.demand_us.value:,.0f} orders/s a core"
    said += f" ({low:,.0f} to {high:,.0f})"
    if low >= claimed_per_s:
        return Judgement(Standing.SUPPORTED, said)
    return Judgement(Standing.REFUTED if high < claimed_per_s else Standing.NOT_TESTABLE, said)


def _check_s(run: Run, configuration: Configuration) -> float | None:
    took = [counter(run, f"{RISK_CHECK}_sum", window) for window in configuration.windows]
    times = [counter(run, f"{RISK_CHECK}_count", window) for window in configuration.windows]
    count = sum(float(part.sum()) for part in times if part is not None)
    return sum(float(part.sum()) for part in took if part is not None) / count if count else None


def _ratio(above: Figure, below: Figure) -> Figure:
    return Figure("ratio", above.value / below.value, "times", intervals.of_quotient(above, below))


def _host(run: Run, configuration: Configuration) -> str:
    return f"host {100 * host_share(run, configuration):.0f} % busy, {run.machine.cores} cores"
