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
KNEE = 10.0
"""p99 over median from which on latency shows a queue, though all that was offered was still carried."""


def load(run: Run) -> list[Finding]:
    return [
        _open(run, configuration) if configuration.rate_per_s is not None else _closed(run, configuration)
        for configuration in configurations(run)
    ]


def _open(run: Run, configuration: Configuration) -> Finding:
    offered = configuration.rate_per_s or 0.0
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


def _closed(run: Run, configuration: Configuration) -> Finding:
    """A closed loop always has as much load as its users make; without waiting they make N / (sum D + Z)."""
    bound = bounds_of(configuration, loads(run, configuration))
    share = configuration.orders_per_s.value / bound.population_per_s if bound else 0.0
    idle = share >= UNHINDERED
    return Finding(
        claim=f"{configuration.users} users reach {percent(share)} of what they would if nobody ever waited"
        if bound
        else f"Whether {configuration.users} users wait for one another is not known: no CPU demand was recorded",
        component="load",
        mechanism=Mechanism.LOAD,
        status=Bearing.SUSPECTED if idle else Bearing.CLEARED if bound else Bearing.MISSING,
        configuration=configuration.name,
        evidence=(Figure("throughput against unhindered users", 100 * share, "%"),) if bound else (),
        doubt="Where the limit lies above this load was not tried." if idle else "",
        next_step="Use more users or shorter think times, until throughput stops following." if idle else "",
    )
