"""Where the time of an order goes, waiting included: what sleeps holds orders up and leaves every processor idle.

The stages are timed inside the gateway, so where its event loop is full each of them also holds the wait for its turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from analysis.causes import CAUSES, OWN, Cause, answer_ms, silence
from analysis.finding import Bearing, Figure, Finding, Mechanism, in_words, percent
from analysis.measured import Configuration, configurations, latency
from analysis.memo import remembered
from analysis.series import counter, gauge, samples_of
from loadgen.record import Run

STAGE = "gateway_stage_seconds"
COMPONENT_OF = {"validate": "gateway", "engine": "engine", "ledger": "ledger", "publish": "redis"}
"""Stage of the gateway → the component that it mostly waits for."""
LOOP_LAG = "gateway_event_loop_lag_seconds"
QUEUE = "haproxy_backend_current_queue"
TURNS = 6
"""An order needs the event loop about so often; each time late by its lag. For runs in which no part was asked."""
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


def mean_of(run: Run, configuration: Configuration, metric: str, **labels: str) -> float | None:
    """Mean over time of a gauge summed over its instances."""
    found = [values for window in configuration.windows if (values := gauge(run, metric, window, **labels)) is not None]
    return float(np.mean(np.concatenate(found))) if found else None


def residence(run: Run) -> list[Finding]:
    """A stage other than the ledger's that holds an order longest; the ledger's is judged by its waits."""
    found = []
    for configuration in configurations(run):
        time = residence_of(run, configuration)
        if time is None:
            found.append(_missing(configuration))
        else:
            found += [_stage(run, configuration, time, stage) for stage in time.stages_ms if stage in CAUSES]
            found += _elsewhere(run, configuration, time)
    return found


def _stage(run: Run, configuration: Configuration, time: Residence, stage: str) -> Finding:
    share = time.share(stage)
    dominant = share >= DOMINANT
    cause = Cause(COMPONENT_OF[stage], Mechanism.RESPONSE)
    if dominant:
        held_ms = time.stages_ms[stage]
        cause = silence(run, configuration, ("gateway", COMPONENT_OF[stage]), held_ms) or CAUSES[stage](
            run, configuration, held_ms, configuration.orders_per_s.value
        )
    claim = f"An order spends {percent(share)} of its {time.whole_ms:.1f} ms in the {stage} stage"
    return Finding(
        claim=f"{claim}, {cause.why}" if cause.why else claim,
        component=cause.component,
        mechanism=cause.mechanism,
        status=Bearing.SUSPECTED if dominant else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=(
            Figure(f"{stage} stage", time.stages_ms[stage], "ms an order"),
            Figure(f"{stage} stage of the latency", 100 * share, "%"),
            *cause.evidence,
        ),
        doubt=TIMED_IN_THE_GATEWAY if dominant else "",
        next_step=f"Profile {in_words(cause.component)} under this load; delay it on purpose and see whether it shows."
        if dominant
        else "",
    )


def _elsewhere(run: Run, configuration: Configuration, time: Residence) -> list[Finding]:
    """What the client waits for outside the gateways' stages: HAProxy's queue, a full event loop, or the way there."""
    share = time.elsewhere_ms / time.whole_ms
    if share < DOMINANT:
        return []
    cause = _cause_elsewhere(run, configuration, time)
    where = f"{percent(share)} of its {time.whole_ms:.1f} ms outside the gateways' stages"
    return [
        Finding(
            claim=f"An order spends {where}, {cause.why}",
            component=cause.component,
            mechanism=cause.mechanism,
            status=Bearing.SUSPECTED,
            configuration=configuration.name,
            evidence=(Figure("outside the gateways' stages", time.elsewhere_ms, "ms an order"), *cause.evidence),
            doubt="The network between clients and HAProxy is in it too, and so is a generator that is late itself.",
            next_step="Trace slow orders (`lab trace slowest`) and see between which spans the time passes.",
        )
    ]


def _cause_elsewhere(run: Run, configuration: Configuration, time: Residence) -> Cause:
    queued = mean_of(run, configuration, QUEUE) or 0.0
    queued_ms = 1e3 * queued / max(configuration.orders_per_s.value * configuration.commands_per_order, 1e-9)
    lag_ms = time.loop_lag_ms or 0.0
    figures = (
        Figure("event loop of a gateway late by", lag_ms, "ms"),
        Figure("orders in HAProxy's queue", queued, "orders"),
    )
    if silent := silence(run, configuration, ("haproxy", "gateway"), time.elsewhere_ms):
        return replace(silent, evidence=(*silent.evidence, *figures))
    if queued_ms > OWN * time.elsewhere_ms:
        return Cause("gateway", Mechanism.POOL, f"{queued:.1f} orders in HAProxy's queue for a gateway", figures)
    if answer_ms(run, configuration, "gateway") is None and TURNS * lag_ms > OWN * time.elsewhere_ms:
        return Cause("gateway", Mechanism.RESPONSE, f"the event loop {lag_ms:.1f} ms late", figures)
    why = f"HAProxy's queue short and the event loop {lag_ms:.1f} ms late"
    return Cause("network haproxy-gateway", Mechanism.NETWORK, why, figures)


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
