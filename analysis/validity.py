"""Evidence before all other: was it the system that was measured, or the generator, or the machine?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.finding import Bearing, Figure, Finding, Mechanism, percent
from analysis.measured import Configuration, configurations, is_moving, latency, orders_by_second
from analysis.saturation import loads
from analysis.series import counter
from loadgen.record import Run

HOST_CPU = "cluster_host_cpu_seconds_total"
GENERATOR_BUSY = 0.85
HOST_BUSY = 0.85
FOREIGN = 0.15
"""Share of the machine that may go to what is no part of the lab (interrupts, the kernel) before it is worth a word."""
LITTLE_TOLERANCE = 0.05
DRIFT = 0.15
"""Change of throughput from the first to the last third of a window from which on it was not steady."""

THIRDS = 3
"""A window of fewer seconds has no first and last third to compare."""
CHANCE = 3.0
"""Standard deviations of a Poisson count that a change must exceed to be more than chance."""


def validity(run: Run) -> list[Finding]:
    return [
        finding
        for configuration in configurations(run)
        for finding in (
            _generator(run, configuration),
            _host(run, configuration),
            _little(run, configuration),
            _died(run, configuration) or _steady(run, configuration),
        )
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
    """Busy share of all cores of the machine in the measured parts, mean of the windows."""
    if run.is_narrowed:
        parts = {
            mode: sum(float(seen.sum()) for window in configuration.windows
                      if (seen := counter(run, HOST_CPU, window, mode=mode)) is not None)
            for mode in ("busy", "steal", "idle")
        }  # fmt: skip
        if whole := sum(parts.values()):
            return 1 - parts["idle"] / whole
    return float(np.mean(_noise(run, configuration)["host_busy_share"]))


def _noise(run: Run, configuration: Configuration) -> pd.DataFrame:
    return run.noise[run.noise["window"].isin([window.name for window in configuration.windows])]


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


def foreign_cores(run: Run, configuration: Configuration) -> float | None:
    """Busy cores that no part of the lab accounts for; None where the parts' CPU was not recorded. As the window was
    judged by, where the run knows it; else from the accounts of the parts, second by second."""
    noise = _noise(run, configuration)
    if not run.is_narrowed and len(noise) and "foreign_share" in noise and noise["foreign_share"].notna().all():
        return float(noise["foreign_share"].mean()) * run.machine.cores
    found = loads(run, configuration)
    if not found:
        return None
    lab = sum(load.busy_cores.value for load in found.values())
    return max(0.0, host_share(run, configuration) * run.machine.cores - lab)


def _host(run: Run, configuration: Configuration) -> Finding:
    share = host_share(run, configuration)
    full = share > HOST_BUSY
    foreign = foreign_cores(run, configuration) or 0.0
    disturbed = foreign > FOREIGN * run.machine.cores
    claim = f"The machine as a whole was {percent(share)} busy"
    doubt = "Every component waits for the same cores, the generator's too, so no one of them can be told apart."
    if disturbed:
        others = f"{foreign:.2f} of its {run.machine.cores} cores with something that is no part of the lab"
        claim, doubt = f"{claim}, {others}", f"The host was busy {others}. {doubt}"
    relief = "Repeat on more cores, or with smaller quotas, so that the host keeps room."
    return Finding(
        claim=claim,
        component="host",
        mechanism=Mechanism.CPU,
        status=Bearing.SUSPECTED if full else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=(
            Figure("CPU of the host", 100 * share, f"% of {run.machine.cores} cores"),
            Figure("of it outside the lab", foreign, "cores"),
        ),
        doubt=doubt if full else "",
        next_step=("Stop what else runs on this machine and repeat." if disturbed else relief) if full else "",
    )


def _died(run: Run, configuration: Configuration) -> Finding | None:
    """A part that died in a window changed what was measured; that is the point of some campaigns, and must be said."""
    deaths = [
        str(event["part"])
        for event in run.events
        for window in configuration.windows
        if event["kind"] == "died" and window.measured_from_ns <= event["t_ns"] < window.measured_until_ns
    ]
    if not deaths:
        return None
    told = f"{', '.join(sorted(set(deaths)))} died while {configuration.name} was measured"
    return Finding(
        claim=told,
        component="cluster",
        mechanism=Mechanism.MEASUREMENT,
        status=Bearing.NOTED,
        configuration=configuration.name,
        evidence=(Figure("deaths of parts", len(deaths), ""),),
        doubt=f"{told}: its figures are means over a whole and a broken cluster.",
    )


def _steady(run: Run, configuration: Configuration) -> Finding | None:
    """Means of a window that still warms up say little about what comes after it. None of a load that moves itself."""
    seconds = [orders_by_second(run, window) for window in configuration.windows]
    if is_moving(run) or min(len(each) for each in seconds) < THIRDS:
        return None
    first, last = (sum(float(np.array_split(each, THIRDS)[third].mean()) for each in seconds) for third in (0, -1))
    if not first:
        return None
    drift = last / first - 1
    third_s = configuration.measured_s / len(seconds) / THIRDS
    by_chance = CHANCE * np.sqrt((first + last) * third_s) / (first * third_s)
    return Finding(
        claim=f"From the first to the last third of a window throughput changed by {percent(drift)}",
        component="load",
        mechanism=Mechanism.MEASUREMENT,
        status=Bearing.NOTED,
        configuration=configuration.name,
        evidence=(Figure("drift within a window", 100 * drift, "%"),),
        doubt=f"Throughput was not steady, it changed by {percent(drift)} within the window: warm up longer."
        if abs(drift) > max(DRIFT, by_chance)
        else "",
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
