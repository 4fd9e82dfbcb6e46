"""Where the CPU time of an order goes, what that bounds, and what a queueing model of the CPUs alone would carry.

The model leaves out all that sleeps (a disk's sync, a lock, the network): what it promises and the cluster does not
deliver is spent there.
"""

from __future__ import annotations

from analysis import bounds, mva
from analysis.bounds import Bounds, Demand
from analysis.finding import Bearing, Figure, Finding, Mechanism, in_words, percent
from analysis.measured import Configuration, configurations
from analysis.saturation import ORDER_PATH, Load, loads
from loadgen.record import Run

UNEXPLAINED = 0.75
"""Below this share of what the CPUs would allow, something that is not CPU holds throughput down."""


def demand(run: Run) -> list[Finding]:
    return [
        finding
        for configuration in configurations(run)
        if (finding := _finding(configuration, loads(run, configuration))) is not None
    ]


def demands(on_path: dict[str, Load]) -> dict[str, Demand]:
    """Component of the order path → its CPU demand an order and its capacity."""
    return {
        name: Demand(load.demand_us.value / 1e6, load.capacity.cores)
        for name, load in on_path.items()
        if name in ORDER_PATH and load.demand_us.value > 0
    }


def bounds_of(configuration: Configuration, found: dict[str, Load]) -> Bounds | None:
    known = demands(found)
    return bounds.of(known, configuration.users, configuration.think_s) if known else None


def modelled_per_s(configuration: Configuration, found: dict[str, Load]) -> float | None:
    """Orders per second that an exact closed network of the measured CPU demands carries; None for an open loop."""
    known = demands(found)
    if not known or not configuration.users:
        return None
    stations = [
        mva.servers(name, need.seconds, need.servers, found[name].capacity.each) for name, need in known.items()
    ]
    return mva.solve(stations, configuration.users, configuration.think_s).throughput_per_s


def _finding(configuration: Configuration, found: dict[str, Load]) -> Finding | None:
    bound, model = bounds_of(configuration, found), modelled_per_s(configuration, found)
    if bound is None:
        return None
    whole_us = 1e6 * sum(need.seconds for need in demands(found).values())
    figures = [
        Figure("CPU time on the order path for each order", whole_us, "µs"),
        Figure(f"bound from the CPU of {in_words(bound.component)}", bound.ceiling_per_s, "orders/s"),
    ]
    claim = f"An order costs {whole_us:,.0f} µs of CPU on its path"
    sleeping = False
    if model is not None:
        share = configuration.orders_per_s.value / model
        sleeping = share < UNEXPLAINED
        figures += [
            Figure("N*, users at which the first component is full", bound.n_star, "users"),
            Figure("queueing model of the CPUs", model, "orders/s"),
            Figure("measured against that model", 100 * share, "%"),
        ]
        claim += f"; the CPUs alone would carry {model:,.0f} orders/s, {percent(share)} of that was measured"
    return Finding(
        claim=claim,
        component="order path",
        mechanism=Mechanism.CPU,
        status=Bearing.NOTED,
        configuration=configuration.name,
        evidence=tuple(figures),
        doubt="Orders wait for something that uses no CPU: a sync, a lock, a pool, the network, or throttling."
        if sleeping
        else "",
    )
