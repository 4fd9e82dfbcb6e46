"""One window under load: the generator started, listened to and ended, with the machine's noise beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.cluster import Cluster
from loadgen.assignment import Assignment, Ended, Second, Started, Trading
from loadgen.campaign import Campaign, PlannedWindow
from loadgen.generator import Generator, GeneratorError
from loadgen.latency import Receipts, read_receipts
from loadgen.live import Beat, Show
from loadgen.noise import Noise, NoiseMeter
from loadgen.record import Invalidity, Window
from loadgen.validity import MeasuredPart, conditions, reasons

Progress = Callable[[str], None]
"""Takes one line for people at a time."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a window brought. `was_cut` where Ctrl-C ended it; it then measured what it could."""

    window: Window
    id_prefix: str
    receipts: Receipts
    seconds: tuple[Second, ...]
    noise: Noise
    generator_allotment_cores: float
    was_cut: bool

    def invalidities(self) -> list[Invalidity]:
        part = MeasuredPart(self.window.measured_from_ns, self.window.measured_until_ns)
        seen = conditions(self.receipts, self.seconds, self.noise, part, self.generator_allotment_cores)
        return reasons(self.window.name, seen)


def load(
    cluster: Cluster,
    campaign: Campaign,
    planned: PlannedWindow,
    id_prefix: str,
    scratch: Path,
    show: Show,
    rest_s: float,
) -> Loaded | None:
    """Loads the renewed cluster; `rest_s` is what the campaign takes after this window. None where Ctrl-C came before
    anything was measured. Raises GeneratorError."""
    receipts = scratch / "receipts"
    log = scratch / "generator.log"
    assignment = assign(cluster, campaign, planned, id_prefix, receipts)
    with Generator(assignment, cluster.group("generator").place, log) as generator:
        heard = _listen(generator, _Telling(cluster, planned.name, show, rest_s))
    if heard.started is None or heard.noise is None:
        raise GeneratorError("the generator ended without having started")
    noise = heard.noise.noise()
    window = Window(
        name=planned.name,
        parameters=planned.parameters,
        repetition=planned.repetition,
        position=planned.position,
        users=planned.load.users or 0,
        think_time_s=planned.load.think_time_s,
        rate_per_s=planned.load.rate_per_s(campaign.seed),
        started_ns=heard.started.started_ns,
        measured_from_ns=heard.started.measured_from_ns,
        measured_until_ns=min(heard.started.measured_until_ns, heard.cut_ns or heard.started.measured_until_ns),
        ended_ns=heard.ended_ns,
    )
    if window.measured_until_ns <= window.measured_from_ns:
        return None
    quota = planned.topology.generator.cpu_cores
    return Loaded(
        window,
        id_prefix,
        read_receipts(receipts),
        tuple(heard.seconds),
        noise,
        quota or float(planned.load.workers),
        heard.cut_ns is not None,
    )


def assign(cluster: Cluster, campaign: Campaign, planned: PlannedWindow, id_prefix: str, receipts: Path) -> Assignment:
    host, _, port = cluster.address("haproxy").rpartition(":")
    keys = json.loads(cluster.secrets.api_keys.read_text())
    accounts = sorted(int(account) for account in keys)[: campaign.flow.accounts]
    load, flow = planned.load, campaign.flow
    return Assignment(
        host=host,
        port=int(port),
        users=load.users or 0,
        think_time_s=load.think_time_s,
        arrivals=load.arrivals.model_dump(mode="json") if load.arrivals else None,
        in_flight_max=load.in_flight_max,
        workers=load.workers,
        warm_up_s=load.warm_up_s,
        duration_s=load.duration_s,
        timeout_s=load.timeout_s,
        seed=campaign.seed,
        id_prefix=id_prefix,
        trading=tuple(Trading(account, keys[str(account)]) for account in accounts),
        symbols=planned.topology.symbols,
        add=flow.add,
        cancel=flow.cancel,
        take=flow.take,
        market=flow.market,
        ioc=flow.ioc,
        replace=flow.replace,
        receipts=str(receipts),
    )


@dataclass(frozen=True, slots=True)
class _Telling:
    """Puts each second of load into its place in the campaign, and before Prometheus."""

    cluster: Cluster
    window: str
    show: Show
    rest_s: float

    def tell(self, second: Second, started: Started, number: int) -> None:
        left_s = max(started.measured_until_ns - second.t_ns - 10**9, 0) / 1e9
        stage = "warming up" if second.t_ns < started.measured_from_ns else "measuring"
        self.show(Beat(self.window, stage, second, number, left_s, left_s + self.rest_s))


@dataclass(slots=True)
class _Heard:
    started: Started | None = None
    noise: NoiseMeter | None = None
    seconds: list[Second] = field(default_factory=list)
    cut_ns: int | None = None
    ended_ns: int = 0


def _listen(generator: Generator, telling: _Telling) -> _Heard:
    """Until the generator has ended. The first Ctrl-C asks it to stop and goes on listening; a second one is raised."""
    heard = _Heard()
    try:
        _hear(generator, heard, telling)
    except KeyboardInterrupt:
        heard.cut_ns = time.time_ns()
        if heard.noise:
            heard.noise.stop()
        generator.stop()
        _hear(generator, heard, telling)
    return heard


def _hear(generator: Generator, heard: _Heard, telling: _Telling) -> None:
    for report in generator:
        match report:
            case Started():
                heard.started = report
                heard.noise = NoiseMeter(report.measured_from_ns, report.measured_until_ns)
            case Second():
                heard.seconds.append(report)
                telling.cluster.show_load(figures_of(report))
                if heard.started and report.t_ns < heard.started.measured_until_ns:
                    telling.tell(report, heard.started, len(heard.seconds))
            case Ended():
                heard.ended_ns = report.ended_ns
                telling.cluster.show_load({})


def figures_of(second: Second) -> dict[str, dict[str, float]]:
    """The generator's signals in one second."""
    return {
        "generator_offered_total": {"": second.offered},
        "generator_sent_total": {"": second.sent},
        "generator_ended_total": dict(second.outcomes),
        "generator_in_flight": {"": second.in_flight},
        "generator_lag_seconds": {"": second.lag_ns / 1e9},
        "generator_schedule_error_p99_seconds": {"": second.schedule_error_p99_ns / 1e9},
        "generator_wake_lag_p99_seconds": {"": second.wake_lag_p99_ns / 1e9},
        "generator_latency_seconds": {"0.5": second.p50_ns / 1e9, "0.99": second.p99_ns / 1e9},
    }
