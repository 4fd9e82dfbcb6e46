"""How long an order waits for a processor: a host full of others' work limits only where that is long."""

from __future__ import annotations

from analysis.finding import Bearing, Figure, Finding, Mechanism
from analysis.measured import Configuration, configurations
from analysis.saturation import ORDER_PATH
from analysis.series import counter
from loadgen.record import Run

RUN_QUEUE = "cluster_run_queue_seconds_total"


def run_queue(run: Run) -> list[Finding]:
    return [found for each in configurations(run) if (found := _finding(run, each)) is not None]


def _finding(run: Run, configuration: Configuration) -> Finding | None:
    parts = [counter(run, RUN_QUEUE, window, of) for window in configuration.windows for of in ORDER_PATH]
    waited_s = sum(float(part.sum()) for part in parts if part is not None)
    commands = configuration.orders * configuration.commands_per_order
    if not waited_s or not commands:
        return None
    waited = Figure("waiting for a processor on the order path", 1e3 * waited_s / commands, "ms an order")
    return Finding(
        claim=f"An order waits {waited.value:.1f} ms for a processor",
        component="host",
        mechanism=Mechanism.RUN_QUEUE,
        status=Bearing.NOTED,
        configuration=configuration.name,
        evidence=(waited,),
    )
