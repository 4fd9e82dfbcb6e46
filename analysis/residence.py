"""Where the time of an order goes, waiting included: what sleeps holds orders up and leaves every processor idle.

The stages are timed inside the gateway, so where its event loop is full each of them also holds the wait for its turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.finding import Bearing, Figure, Finding, Mechanism, in_words, percent
from analysis.measured import Configuration, configurations, latency
from analysis.memo import remembered
from analysis.series import counter, gauge, samples_of
from loadgen.record import Run

STAGE = "gateway_stage_seconds"
COMPONENT_OF = {"validate": "gateway", "engine": "engine", "ledger": "ledger", "publish": "redis"}
"""Stage of the gateway → the component that it mostly waits for."""
LOOP_LAG = "gateway_event_loop_lag_seconds"
DOMINANT = 0.5
"""A stage that holds an order for half of its latency or more is a suspect."""


@dataclass(frozen=True, slots=True)
class Residence:
    """Mean time (ms) of an order or a cancel by stage; `elsewhere`: proxy, network, waiting for the event loop."""

    stages_ms: Mapping[str, float]
    whole_ms: float
    loop_lag_ms: float | None

    @property
    def elsewhere_ms(self) -> float:
        return max(0.0, self.whole_ms - sum(self.stages_ms.values()))

    def share(self, stage: str) -> float:
        return self.stages_ms.get(stage, 0.0) / self.whole_ms


@remembered
def residence_of(run: Run, configuration: Configuration) -> Residence | None:
    """None where the gateways' stage times were not recorded."""
    stages = {}
    for stage in COMPONENT_OF:
        took = _total([counter(run, f"{STAGE}_sum", window, stage=stage) for window in configuration.windows])
        times = _total([counter(run, f"{STAGE}_count", window, stage=stage) for window in configuration.windows])
        if times:
            stages[stage] = 1e3 * took / times
    whole_ms = latency(run, configuration, endpoint=None).get_mean_value() / 1e6
    if not stages or not whole_ms:
        return None
    lag = mean_of(run, configuration, LOOP_LAG)
    instances = len(samples_of(run, LOOP_LAG, configuration.windows[0])["instance"].unique()) or 1
    return Residence(stages, whole_ms, 1e3 * lag / instances if lag is not None else None)


def mean_of(run: Run, configuration: Configuration, metric: str) -> float | None:
    """Mean over time of a gauge summed over its instances."""
    found = [values for window in configuration.windows if (values := gauge(run, metric, window)) is not None]
    return float(np.mean(np.concatenate(found))) if found else None


def residence(run: Run) -> list[Finding]:
    """A stage other than the ledger's that holds an order longest; the ledger's is judged by its waits."""
    found = []
    for configuration in configurations(run):
        time = residence_of(run, configuration)
        if time is None:
            found.append(_missing(configuration))
        else:
            found += [_stage(configuration, time, stage) for stage in time.stages_ms if stage in ("engine", "publish")]
    return found


def _stage(configuration: Configuration, time: Residence, stage: str) -> Finding:
    share, component = time.share(stage), COMPONENT_OF[stage]
    dominant = share >= DOMINANT
    return Finding(
        claim=f"An order spends {percent(share)} of its {time.whole_ms:.1f} ms in the {stage} stage",
        component=component,
        mechanism=Mechanism.RESPONSE,
        status=Bearing.SUSPECTED if dominant else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=(
            Figure(f"{stage} stage", time.stages_ms[stage], "ms an order"),
            Figure(f"{stage} stage of the latency", 100 * share, "%"),
        ),
        doubt=TIMED_IN_THE_GATEWAY if dominant else "",
        next_step=f"Profile {in_words(component)} under this load; delay it on purpose and see whether it shows."
        if dominant
        else "",
    )


TIMED_IN_THE_GATEWAY = (
    "The stage is timed in the gateway: a full event loop or a throttled gateway lengthens it as well."
)


def _missing(configuration: Configuration) -> Finding:
    return Finding(
        claim="No stage times of the gateways were recorded",
        component="ledger",
        mechanism=Mechanism.COMMIT,
        status=Bearing.MISSING,
        configuration=configuration.name,
        doubt="The commit path sleeps on the disk and uses no CPU: it can be neither suspected nor cleared.",
        next_step="See that Prometheus scrapes every gateway, and run the campaign again.",
    )


def _total(parts: list[np.ndarray | None]) -> float:
    return sum(float(part.sum()) for part in parts if part is not None)
