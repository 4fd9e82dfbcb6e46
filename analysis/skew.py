"""Work that is spread unevenly: one instance full while its siblings idle limits as much as a full component does."""

from __future__ import annotations

from analysis.finding import Bearing, Figure, Finding, Mechanism, in_words, percent
from analysis.measured import configurations
from analysis.saturation import IDLE, ORDER_PATH, SATURATED, loads
from loadgen.record import Run

UNEVEN = 1.3
"""Busiest instance over the mean from which on it is worth a word."""


def skew(run: Run) -> list[Finding]:
    found = []
    for configuration in configurations(run):
        for load in loads(run, configuration).values():
            if load.component not in ORDER_PATH or load.capacity.instances < 2:
                continue
            if load.busiest_share < UNEVEN * load.utilisation:
                continue
            suspected = load.busiest_share >= SATURATED and load.utilisation < IDLE
            found.append(Finding(
                claim=f"One of {load.capacity.instances} instances of {in_words(load.component)} was "
                f"{percent(load.busiest_share)} busy, all together {percent(load.utilisation)}",
                component=load.component,
                mechanism=Mechanism.SKEW,
                status=Bearing.SUSPECTED if suspected else Bearing.NOTED,
                configuration=configuration.name,
                evidence=(
                    Figure(f"busiest of {in_words(load.component)}", 100 * load.busiest_share, "%"),
                    Figure(f"all of {in_words(load.component)}", 100 * load.utilisation, "%"),
                ),
                doubt="Which orders go there is not in the evidence: a hot symbol, a key, an uneven balance."
                if suspected
                else "",
                next_step=f"Spread the work of {in_words(load.component)} anew, and see whether throughput follows.",
            ))  # fmt: skip
    return found
