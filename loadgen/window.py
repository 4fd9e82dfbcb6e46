"""One window under load: the generator started, listened to and ended, with the machine's noise beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deploy.cluster import Cluster
from loadgen.assignment import Assignment, Ended, Second, Started, Trading
from loadgen.campaign import Campaign, PlannedWindow
from loadgen.generator import Generator, GeneratorError
from loadgen.latency import Receipts, read_receipts
from loadgen.noise import Noise, NoiseMeter
from loadgen.receipts import OK
from loadgen.record import Invalidity, Window
from loadgen.validity import Conditions, reasons

Progress = Callable[[str], None]
"""Takes one line for people at a time."""

LINE_EVERY_S = 5


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
        first, last = self.window.measured_from_ns, self.window.measured_until_ns
        rows = self.receipts
        measured = rows[(rows["intended_ns"] >= first) & (rows["intended_ns"] < last)]
        ok = measured[measured["outcome"] == OK]
        cpu_seconds = sum(second.cpu_seconds for second in self.seconds if first <= second.t_ns < last)
        return reasons(self.window.name, Conditions(
            generator_cpu_cores=cpu_seconds / self.window.duration_s,
            generator_allotment_cores=self.generator_allotment_cores,
            lateness_p99_ns=_p99(measured["late_ns"]),
            latency_p99_ns=_p99(ok["answered_ns"] - ok["intended_ns"]),
            steal_share=self.noise.steal_share,
            hiccup_p99_9_ns=self.noise.hiccup_p99_9_ns,
        ))  # fmt: skip


def load(
    cluster: Cluster, campaign: Campaign, planned: PlannedWindow, id_prefix: str, scratch: Path, progress: Progress
) -> Loaded | None:
    """Loads the renewed cluster. None where Ctrl-C came before anything was measured. Raises GeneratorError."""
    receipts = scratch / "receipts"
    log = scratch / "generator.log"
    assignment = assign(cluster, campaign, planned, id_prefix, receipts)
    with Generator(assignment, cluster.group("generator").place, log) as generator:
        heard = _listen(generator, progress)
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
        window, id_prefix, read_receipts(receipts), tuple(heard.seconds), noise, quota or 1.0, heard.cut_ns is not None
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
        receipts=str(receipts),
    )


@dataclass(slots=True)
class _Heard:
    started: Started | None = None
    noise: NoiseMeter | None = None
    seconds: list[Second] = field(default_factory=list)
    cut_ns: int | None = None
    ended_ns: int = 0


def _listen(generator: Generator, progress: Progress) -> _Heard:
    """Until the generator has ended. The first Ctrl-C asks it to stop and goes on listening; a second one is raised."""
    heard = _Heard()
    try:
        _hear(generator, heard, progress)
    except KeyboardInterrupt:
        heard.cut_ns = time.time_ns()
        if heard.noise:
            heard.noise.stop()
        generator.stop()
        _hear(generator, heard, progress)
    return heard


def _hear(generator: Generator, heard: _Heard, progress: Progress) -> None:
    for report in generator:
        match report:
            case Started():
                heard.started = report
                heard.noise = NoiseMeter(report.measured_from_ns, report.measured_until_ns)
            case Second():
                heard.seconds.append(report)
                started = heard.started
                if started and report.t_ns < started.measured_until_ns and len(heard.seconds) % LINE_EVERY_S == 0:
                    progress(line_of(report, started))
            case Ended():
                heard.ended_ns = report.ended_ns


def line_of(second: Second, started: Started) -> str:
    """How it goes, in one line."""
    left_s = max(started.measured_until_ns - second.t_ns - 10**9, 0) / 1e9
    stage = "warming up" if second.t_ns < started.measured_from_ns else "measuring"
    failed = second.requests - second.outcomes.get("ok", 0)
    return (
        f"  {stage}: {second.outcomes.get('ok', 0)} commands/s, p50 {second.p50_ns / 1e6:.1f} ms,"
        f" p99 {second.p99_ns / 1e6:.1f} ms, {failed} failed, {left_s:.0f} s left"
    )


def _p99(values: npt.NDArray[np.int64]) -> int:
    return int(np.quantile(values, 0.99)) if len(values) else 0
