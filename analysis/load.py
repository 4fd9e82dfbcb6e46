"""Was there a limit at all? Where the system carries what it is offered, nothing limits, and nobody may be accused."""

from __future__ import annotations

from analysis.demand import bounds_of
from analysis.finding import Bearing, Figure, Finding, Mechanism, percent
from analysis.measured import Configuration, configurations, latency
from analysis.saturation import loads
from loadgen.record import Run

CARRIED = 0.98
"""Share of an offered rate from which on it counts as carried; what is missing is the chance of a Poisson stream."""
UNHINDERED = 0.85
"""Share of the bound N / (sum D + Z) from which on users hardly wait for one another."""
THINKING = 0.8
"""Share of their time that users think from which on answers, however quick, could bring a quarter more at most."""
KNEE = 10.0
"""p99 over median from which on latency shows a queue, though all that was offered was still carried."""


def load(run: Run) -> list[Finding]:
    return [
        _open(run, configuration) if configuration.rate_per_s is not None else _closed(run, configuration)
        for configuration in configurations(run)
    ]


def _open(run: Run, configuration: Configuration) -> Finding:
    offered = offered_per_s(configuration)
    commands = configuration.outcomes.get("ok", 0) / configuration.measured_s
    share = commands / offered if offered else 0.0
    histogram = latency(run, configuration)
    tail = histogram.get_value_at_percentile(99) / max(1, histogram.get_value_at_percentile(50))
    carried = share >= CARRIED and tail < KNEE
    return Finding(
        claim=f"{percent(share, 1)} of {offered:,.0f} requests/s offered were carried, p99 {tail:.1f} times the median",
        component="load",
        mechanism=Mechanism.LOAD,
        status=Bearing.SUSPECTED if carried else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=(Figure("carried of what was offered", 100 * share, "%"), Figure("p99 over median", tail, "times")),
        doubt="Where the limit lies above this load was not tried." if carried else "",
        next_step="Offer more load, until throughput stops following it." if carried else "",
    )


def offered_per_s(configuration: Configuration) -> float:
    """Requests due in the measured part: a spike, a ramp or a recording offers another rate there than its plan's mean.
    A recording's cancel of an order that this book does not know was never to be had, so it is not offered."""
    due = sum(count for outcome, count in configuration.fates.items() if outcome != "unplayable")
    return due / configuration.measured_s


def _closed(run: Run, configuration: Configuration) -> Finding:
    """Users make their own load: N / (sum D + Z) where nobody waits, N / Z if answers took no time."""
    bound = bounds_of(configuration, loads(run, configuration))
    share = configuration.orders_per_s.value / bound.population_per_s if bound else 0.0
    thinking = configuration.orders_per_s.value * configuration.think_s / configuration.users
    idle = share >= UNHINDERED or thinking >= THINKING
    claim = f"{configuration.users} users spend {percent(thinking)} of their time thinking"
    figures = [Figure("time that users think", 100 * thinking, "%")]
    if bound:
        claim += f" and reach {percent(share)} of what they would if nobody ever waited"
        figures.append(Figure("throughput against unhindered users", 100 * share, "%"))
    return Finding(
        claim=claim,
        component="load",
        mechanism=Mechanism.LOAD,
        status=Bearing.SUSPECTED if idle else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=tuple(figures),
        doubt="Where the limit lies above this load was not tried." if idle else "",
        next_step="Use more users or shorter think times, until throughput stops following." if idle else "",
    )
