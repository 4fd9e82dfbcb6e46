"""What telemetry costs: gateways with and without it side by side, the whole machine with and without it, its servers.

Side by side, two gateways carry the same load in the same seconds; the CPU that each takes for a request says how much
fewer requests the one with telemetry completes with the same CPU. Each window is a block with its own ratio, the
interval is Student's t over the blocks. What disturbs the machine disturbs both, which no comparison of one window with
the next can say: there a neighbour's ten percent hides a signal's two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import intervals
from analysis.finding import Interval
from analysis.measured import Configuration, configurations
from analysis.saturation import CPU, Load, loads
from analysis.series import counter
from loadgen.manifest import RunError
from loadgen.record import Run, Window

PARAMETER = "gateways.signals"
OFF, ALL = "none", "all"
SETTINGS = (ALL, "metrics", "traces", "logs")
ANSWERS = "haproxy_server_http_responses_total"
BACKENDS = frozenset({
    "prometheus", "loki", "collector", "alertmanager", "node-exporter", "process-exporter", "redis-exporter",
    "postgres-exporter", "wait-sampler",
})  # fmt: skip
NOT_THE_SYSTEMS = frozenset({"generator", "supervisor"})


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one setting against everything off. `throughput_loss` is a share, negative where it was cheaper."""

    throughput_loss: float
    ci95: Interval
    blocks: int
    on_us: float
    off_us: float
    """CPU of a gateway for each request, with it and without."""


@dataclass(frozen=True, slots=True)
class Whole:
    """All on against all off, window by window: what the servers of telemetry take from the path is in it."""

    throughput_loss: float
    ci95: Interval
    p99_added_ms: float


@dataclass(frozen=True, slots=True)
class TelemetryCost:
    pillars: dict[str, Cost]
    """By setting of the gateways' signals: all, metrics, traces, logs."""
    whole: Whole
    backends_share: float
    """CPU of the servers beside the path, as a share of all CPU an order costs on the path and beside it."""

    def document(self) -> dict[str, Any]:
        """What `lab bench telemetry --json` prints: shares, µs of a gateway's CPU with and without, ms."""
        everything = self.pillars[ALL]
        return {
            "throughput_loss": round(everything.throughput_loss, 4),
            "ci95": _rounded(everything.ci95),
            "p99_added_ms": round(self.whole.p99_added_ms, 2),
            "pillars": {name: round(each.throughput_loss, 4) for name, each in self.pillars.items()},
            "pillars_ci95": {name: _rounded(each.ci95) for name, each in self.pillars.items()},
            "gateway_us": {name: [round(each.on_us, 1), round(each.off_us, 1)] for name, each in self.pillars.items()},
            "whole_machine": {
                "throughput_loss": round(self.whole.throughput_loss, 4),
                "ci95": _rounded(self.whole.ci95),
            },
            "backends_cpu_share": round(self.backends_share, 4),
            "blocks": everything.blocks,
        }


def _rounded(interval: Interval) -> list[float]:
    return [round(interval.low, 4), round(interval.high, 4)]


def telemetry_cost(run: Run) -> TelemetryCost:
    """Of a run of campaigns/telemetry.yaml. Raises RunError for another one, or one with a single repetition."""
    found = {str(each.parameters.get(PARAMETER)): each for each in configurations(run)}
    wanted = {ALL, OFF, *(name for setting in SETTINGS for name in (f"{setting}+{OFF}", f"{OFF}+{setting}"))}
    if lacking := wanted - found.keys():
        raise RunError(
            f"{run.path}: does not compare {PARAMETER} {', '.join(sorted(lacking))}; run the campaign telemetry"
        )
    if min(len(found[name].windows) for name in wanted) < 2:
        raise RunError(f"{run.path}: has one repetition, which says nothing of its spread; use two or more")
    return TelemetryCost(
        pillars={
            setting: _side_by_side(run, found[f"{setting}+{OFF}"], found[f"{OFF}+{setting}"]) for setting in SETTINGS
        },
        whole=_whole(run, found[ALL], found[OFF]),
        backends_share=_backends_share(loads(run, found[ALL])),
    )


def _side_by_side(run: Run, first_has_it: Configuration, second_has_it: Configuration) -> Cost:
    spent = [(_us(run, window, 1), _us(run, window, 2)) for window in first_has_it.windows]
    spent += [(_us(run, window, 2), _us(run, window, 1)) for window in second_has_it.windows]
    losses = [1 - off / on for on, off in spent]
    on_us, off_us = np.mean(spent, axis=0)
    return Cost(float(np.mean(losses)), intervals.over_repetitions(losses), len(losses), float(on_us), float(off_us))


def _us(run: Run, window: Window, gateway: int) -> float:
    """CPU for each request that it answered."""
    name = f"gateway-{gateway}"
    cpu = counter(run, CPU, window, "gateway", instance=name)
    answers = counter(run, ANSWERS, window, "haproxy", server=name)
    if cpu is None or answers is None or not answers.sum():
        raise RunError(f"{run.path}: {window.name} does not say what {name} spent and answered; run the campaign again")
    return 1e6 * float(cpu.sum() / answers.sum())


def _whole(run: Run, with_it: Configuration, without: Configuration) -> Whole:
    by_repetition = {window.repetition: window for window in without.windows}
    pairs = [(on, by_repetition[on.repetition]) for on in with_it.windows if on.repetition in by_repetition]
    losses = [1 - run.throughput(on) / run.throughput(off) for on, off in pairs]
    added = [
        run.latency(on).get_value_at_percentile(99) - run.latency(off).get_value_at_percentile(99) for on, off in pairs
    ]
    return Whole(float(np.mean(losses)), intervals.over_repetitions(losses), float(np.mean(added)) / 1e6)


def _backends_share(found: dict[str, Load]) -> float:
    spent = {name: load.busy_cores.value for name, load in found.items() if name not in NOT_THE_SYSTEMS}
    return sum(cores for name, cores in spent.items() if name in BACKENDS) / sum(spent.values())
