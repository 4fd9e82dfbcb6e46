"""What telemetry costs: throughput and p99 with it and without it, block by block, and the CPU of its servers.

Every repetition is a block that loads each setting once, so what drifts, drifts under all of them: the loss is the mean
of the blocks' own ratios, its interval Student's t over the blocks. With closed-loop users at saturation a lost order a
second is lost capacity. The gateway's CPU for each order says the same of the gateway alone, by another instrument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis import intervals
from analysis.finding import Interval
from analysis.measured import Configuration, configurations
from analysis.saturation import Load, loads
from loadgen.record import Run, RunError

PARAMETER = "gateways.signals"
OFF, ALL = "none", "all"
BACKENDS = frozenset({
    "prometheus", "loki", "collector", "alertmanager", "node-exporter", "process-exporter", "redis-exporter",
    "postgres-exporter", "wait-sampler",
})  # fmt: skip
NOT_THE_SYSTEMS = frozenset({"generator", "supervisor"})


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one setting against everything off. `throughput_loss` is a share, negative where it was faster."""

    throughput_loss: float
    ci95: Interval
    p99_added_ms: float
    gateway_us: float
    """CPU of the gateway for each order; `off_gateway_us` is what it is without."""


@dataclass(frozen=True, slots=True)
class TelemetryCost:
    pillars: dict[str, Cost]
    """By setting of the gateways' signals: all, metrics, traces, logs."""
    blocks: int
    off_gateway_us: float
    backends_share: float
    """CPU of the servers beside the path, as a share of all CPU an order costs on the path and beside it."""


def telemetry_cost(run: Run) -> TelemetryCost:
    """Of a run of campaigns/telemetry.yaml. Raises RunError for another one, or one with a single block."""
    by_setting = {str(found.parameters.get(PARAMETER)): found for found in configurations(run)}
    if OFF not in by_setting or ALL not in by_setting:
        raise RunError(f"{run.path}: does not compare {PARAMETER} all and none; run loadgen/campaigns/telemetry.yaml")
    off = by_setting.pop(OFF)
    if len(off.windows) < 2:
        raise RunError(f"{run.path}: has one repetition, which says nothing of its spread; use two or more")
    return TelemetryCost(
        pillars={setting: _cost(run, found, off) for setting, found in by_setting.items()},
        blocks=len(off.windows),
        off_gateway_us=_gateway_us(run, off),
        backends_share=_backends_share(loads(run, by_setting[ALL])),
    )


def _cost(run: Run, with_it: Configuration, without: Configuration) -> Cost:
    pairs = list(zip(with_it.windows, without.windows, strict=True))
    losses = [1 - run.throughput(on) / run.throughput(off) for on, off in pairs]
    added = [
        run.latency(on).get_value_at_percentile(99) - run.latency(off).get_value_at_percentile(99) for on, off in pairs
    ]
    return Cost(
        throughput_loss=float(np.mean(losses)),
        ci95=intervals.over_repetitions(losses),
        p99_added_ms=float(np.mean(added)) / 1e6,
        gateway_us=_gateway_us(run, with_it),
    )


def _gateway_us(run: Run, configuration: Configuration) -> float:
    found = loads(run, configuration).get("gateway")
    return found.demand_us.value if found else math.nan


def _backends_share(found: dict[str, Load]) -> float:
    spent = {name: load.busy_cores.value for name, load in found.items() if name not in NOT_THE_SYSTEMS}
    return sum(cores for name, cores in spent.items() if name in BACKENDS) / sum(spent.values())
