"""Evidence before all other: was it the system that was measured, or the generator, or the machine?"""

from __future__ import annotations

import numpy as np

from analysis.finding import Bearing, Figure, Finding, Mechanism, percent
from analysis.measured import Configuration, configurations, latency
from loadgen.record import Run

GENERATOR_BUSY = 0.85
HOST_BUSY = 0.85
LITTLE_TOLERANCE = 0.05


def validity(run: Run) -> list[Finding]:
    return [
        finding
        for configuration in configurations(run)
        for finding in (_generator(run, configuration), _host(run, configuration), _little(run, configuration))
        if finding is not None
    ]


def generator_share(run: Run, configuration: Configuration) -> float:
    """CPU of the load generator over its allotment, in the measured intervals."""
    used = allotted = 0.0
    for window in configuration.windows:
        rows = run.generator[run.generator["window"] == window.name]
        rows = rows[(rows["t_ns"] >= window.measured_from_ns) & (rows["t_ns"] < window.measured_until_ns)]
        used += float(rows["cpu_seconds"].sum())
        allotted += float(rows["cpu_quota_cores"].sum())
    return used / allotted if allotted else 0.0


def host_share(run: Run, configuration: Configuration) -> float:
    """Busy share of all cores of the machine, mean of the windows."""
    names = [window.name for window in configuration.windows]
    return float(np.mean(run.noise[run.noise["window"].isin(names)]["host_busy_share"]))


def _generator(run: Run, configuration: Configuration) -> Finding:
    share = generator_share(run, configuration)
    full = share > GENERATOR_BUSY
    return Finding(
        claim=f"The load generator used {percent(share)} of its CPU allotment",
        component="generator",
        mechanism=Mechanism.CPU,
        status=Bearing.SUSPECTED if full else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=(Figure("CPU of the generator", 100 * share, "% of its allotment"),),
        doubt="What the system itself could have carried is not known." if full else "",
        next_step="Give the generator more CPU, or more processes, and run the campaign again." if full else "",
    )


def _host(run: Run, configuration: Configuration) -> Finding:
    share = host_share(run, configuration)
    full = share > HOST_BUSY
    return Finding(
        claim=f"The machine as a whole was {percent(share)} busy",
        component="host",
        mechanism=Mechanism.CPU,
        status=Bearing.SUSPECTED if full else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=(Figure("CPU of the host", 100 * share, f"% of {run.machine.cores} cores"),),
        doubt="Every component waits for the same cores, the generator's too, so no one of them can be told apart."
        if full
        else "",
        next_step="Repeat on more cores, or give each component a quota so that the host keeps room." if full else "",
    )


def _little(run: Run, configuration: Configuration) -> Finding | None:
    """N = X (R + Z) holds for every closed system; where it does not, something was not counted."""
    if not configuration.users or configuration.rate_per_s is not None or not configuration.orders:
        return None
    response_s = latency(run, configuration, endpoint=None, outcome=None).get_mean_value() / 1e9
    rate = sum(configuration.outcomes.values()) / configuration.measured_s
    population = rate * (response_s + configuration.windows[0].think_time_s)
    off = population / configuration.users - 1
    return Finding(
        claim=f"Little's law accounts for {population:.1f} of {configuration.users} users",
        component="generator",
        mechanism=Mechanism.MEASUREMENT,
        status=Bearing.NOTED,
        configuration=configuration.name,
        evidence=(Figure("X (R + Z) against N", 100 * off, "% off"),),
        doubt="Rates and latencies do not fit together: users idled, or requests were not counted."
        if abs(off) > LITTLE_TOLERANCE
        else "",
    )
