"""What the sweep itself shows: each step to the next configuration is a small intervention, with all else equal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from analysis import intervals, usl
from analysis.finding import Bearing, Figure, Finding, Mechanism
from analysis.measured import Configuration, configurations, orders_by_second
from loadgen.record import Run

FOLLOWS, STAYS = 0.5, 0.2
"""Arc elasticity d ln X / d ln gateways from which on throughput follows the gateways, and below which it does not."""


@dataclass(frozen=True, slots=True)
class Step:
    before: Configuration
    after: Configuration
    ratio: Figure
    elasticity: float


def swept(run: Run) -> str | None:
    """The one numeric parameter that differs between configurations; None where none or several do."""
    rows = [configuration.parameters for configuration in configurations(run)]
    moving = [name for name in rows[0] if len({str(row.get(name)) for row in rows}) > 1] if rows else []
    numeric = [name for name in moving if all(isinstance(row.get(name), int | float) for row in rows)]
    return numeric[0] if len(moving) == 1 and numeric else None


def steps(run: Run) -> list[Step]:
    """From each configuration of the sweep to the next larger one that carried anything."""
    parameter = swept(run)
    if parameter is None:
        return []
    carried = [configuration for configuration in configurations(run) if configuration.orders]
    return [_step(before, after, parameter) for before, after in pairwise(carried)]


def fitted(run: Run) -> usl.Fit | None:
    """The USL over all windows of a sweep; None where there are too few to determine its three coefficients."""
    parameter = swept(run)
    if parameter is None:
        return None
    points = [
        (float(window.parameters[parameter]), float(orders_by_second(run, window).mean()))
        for configuration in configurations(run)
        for window in configuration.windows
        if configuration.orders
    ]
    numbers = {n for n, _ in points}
    if len(points) < usl.POINTS_MIN or len(numbers) < usl.NUMBERS_MIN or min(numbers) < 1:
        return None
    return usl.fit([n for n, _ in points], [rate for _, rate in points])


def scaling(run: Run) -> list[Finding]:
    parameter = swept(run)
    return [_finding(step, parameter) for step in steps(run)] if parameter == "gateways" else []


def _step(before: Configuration, after: Configuration, parameter: str) -> Step:
    x, y = before.orders_per_s, after.orders_per_s
    grown = float(after.parameters[parameter]) / float(before.parameters[parameter])
    ratio = Figure(f"{after.name} against {before.name}", y.value / x.value, "times", intervals.of_quotient(y, x))
    return Step(before, after, ratio, math.log(ratio.value) / math.log(grown))


def _finding(step: Step, parameter: str) -> Finding:
    low, high = step.before.parameters[parameter], step.after.parameters[parameter]
    gain = f"From {low} to {high} gateways throughput is {step.ratio.value:.2f} times what it was"
    if step.elasticity >= FOLLOWS:
        status, claim = Bearing.SUSPECTED, f"{gain}: more gateways brought more orders"
    elif step.elasticity < STAYS:
        status, claim = Bearing.CLEARED, f"{gain}: the number of gateways was not the limit"
    else:
        status, claim = Bearing.NOTED, f"{gain}: more gateways helped a little"
    return Finding(
        claim=claim,
        component="gateway",
        mechanism=Mechanism.SCALING,
        status=status,
        configuration=step.before.name,
        evidence=(step.ratio, Figure("elasticity of throughput in gateways", step.elasticity, "")),
        doubt="A gateway brings CPU, but also connections and another event loop: the sweep does not say which helped."
        if status is Bearing.SUSPECTED
        else "",
    )
