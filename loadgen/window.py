"""One window under load: the generator started, listened to and ended, with the machine's noise beside it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deploy.cluster import Cluster, ClusterError
from deploy.levers import Lever
from loadgen.arrivals import Constant, Poisson
from loadgen.assignment import Assignment, Ended, Second, Started, Trading
from loadgen.campaign import Campaign, PlannedWindow
from loadgen.ctrl_c import FIRST, CtrlC
from loadgen.generator import Generator, GeneratorError
from loadgen.latency import Receipts, histograms, read_receipts
from loadgen.live import Beat, Show
from loadgen.market_watch import MarketWatch, Seen
from loadgen.noise import Noise, NoiseMeter
from loadgen.prove import Interventions
from loadgen.receipts import OK, outcome_name
from loadgen.record import Invalidity, Window
from loadgen.search import Served
from loadgen.timeline import Timeline
from loadgen.validity import MeasuredPart, conditions, reasons
from loadgen.warm_up import steady_from_ns

Progress = Callable[[str], None]
"""Takes one line for people at a time."""
Meter = Callable[[int, int], NoiseMeter]
"""From when until when, by the wall clock."""
Starts = Sequence[Callable[[int], None]]
"""Each is told when the measured part begins (ns), once that is known."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a window brought; where Ctrl-C ended it, what it could."""

    window: Window
    id_prefix: str
    receipts: Receipts
    seconds: tuple[Second, ...]
    noise: Noise
    generator_allotment_cores: float
    events: tuple[dict[str, Any], ...] = ()
    """Of the campaign's faults, as in `events.jsonl`."""
    interventions: tuple[dict[str, Any], ...] = ()
    """Rows of `interventions.parquet`."""
    market: Seen | None = None
    """What those saw who watched the market meanwhile."""

    def served(self) -> Served:
        due_ns = self.receipts["intended_ns"]
        measured = self.receipts[(due_ns >= self.window.measured_from_ns) & (due_ns < self.window.measured_until_ns)]
        ok = measured[measured["outcome"] == OK]
        p99_ms = float(np.quantile(ok["answered_ns"] - ok["intended_ns"], 0.99)) / 1e6 if len(ok) else math.inf
        return Served(p99_ms, 1 - len(ok) / max(len(measured), 1))

    def invalidities(self) -> list[Invalidity]:
        part = MeasuredPart(self.window.measured_from_ns, self.window.measured_until_ns)
        seen = conditions(self.receipts, self.seconds, self.noise, part, self.generator_allotment_cores)
        watched = self.market.invalidities(self.window.name) if self.market else []
        return [*reasons(self.window.name, seen), *watched]

    def latencies(self) -> list[dict[str, Any]]:
        """Rows of `latency.parquet`."""
        name, from_ns = self.window.name, self.window.measured_from_ns
        return histograms(name, from_ns, self.receipts) + (self.market.rows(name, from_ns) if self.market else [])


def load(
    cluster: Cluster,
    campaign: Campaign,
    planned: PlannedWindow,
    id_prefix: str,
    scratch: Path,
    show: Show,
    rest_s: float,
    ctrl_c: CtrlC,
    levers: Sequence[Lever] = (),
) -> Loaded | None:
    """Loads the renewed cluster; `rest_s` is what the campaign takes after this window. None where Ctrl-C came before
    anything was measured; once the load has ended it spares the first. `levers` are turned meanwhile. Raises
    GeneratorError."""
    receipts = scratch / "receipts"
    log = scratch / "generator.log"
    assignment = assign(cluster, campaign, planned, id_prefix, receipts)
    place = cluster.group("generator").place
    heard = _Heard()
    with (
        Timeline(cluster, campaign.faults) as timeline,
        Interventions(cluster, planned.name, campaign, levers) as interventions,
        MarketWatch(cluster, planned, scratch) as market,
        ExitStack() as listening,
        Generator(assignment, place, log) as generator,
    ):
        starts = (timeline.start, interventions.start)
        listen = partial(_listen_to_machine, listening, cluster, scratch / "sleeper.log")
        _listen(generator, heard, _Telling(cluster, planned.name, show, rest_s), starts, listen)
        ctrl_c.spare(FIRST)
    if heard.started is None or heard.noise is None:
        if heard.cut_ns:
            return None
        raise GeneratorError("the generator ended without having started")
    found = read_receipts(receipts)
    window = _as_loaded(campaign, planned, found, heard.started, heard, is_disturbed=bool(campaign.faults or levers))
    if window.measured_until_ns <= window.measured_from_ns:
        return None
    if said := silence(cluster.address("haproxy"), found):
        raise GeneratorError(said)
    return Loaded(
        window=window,
        id_prefix=id_prefix,
        receipts=found,
        seconds=tuple(heard.seconds),
        noise=heard.noise.noise,
        generator_allotment_cores=planned.topology.generator.cpu_cores or float(max(planned.load.workers, 1)),
        events=(*joined(heard.started), *unlike_the_rest(heard.started, window), *timeline.events),
        interventions=tuple(interventions.rows),
        market=market.seen,
    )


def _as_loaded(
    campaign: Campaign, planned: PlannedWindow, found: Receipts, started: Started, heard: _Heard, *, is_disturbed: bool
) -> Window:
    until_ns = min(started.measured_until_ns, heard.cut_ns or started.measured_until_ns)
    return Window(
        name=planned.name,
        parameters=planned.parameters,
        repetition=planned.repetition,
        position=planned.position,
        users=planned.load.users or 0,
        think_time_s=planned.load.think_time_s,
        rate_per_s=planned.load.rate_per_s(campaign.seed),
        started_ns=started.started_ns,
        measured_from_ns=_measured_from_ns(is_disturbed, planned, found, started, until_ns),
        measured_until_ns=until_ns,
        ended_ns=heard.ended_ns,
    )


def _measured_from_ns(
    is_disturbed: bool, planned: PlannedWindow, found: Receipts, started: Started, until_ns: int
) -> int:
    """The end of the warm-up as asked, or as seen where that is later and the load is one that can be steady."""
    is_even = planned.load.arrivals is None or isinstance(planned.load.arrivals, Constant | Poisson)
    if is_disturbed or not is_even:
        return started.measured_from_ns
    return max(started.measured_from_ns, steady_from_ns(found, started.started_ns, until_ns))


def joined(started: Started) -> list[dict[str, Any]]:
    """The workers on other hosts as events, with what is known of their clocks."""
    return [
        {
            "t_ns": started.started_ns,
            "kind": "joined",
            "part": each.host,
            "said": f"a worker of the generator, {each.cores} cores; its clock is {each.clock_ahead_ns / 1e6:+.1f} ms"
            f" from ours, known to {each.clock_error_ns / 1e6:.1f} ms and taken into account",
            "log_end": "",
        }
        for each in started.joined
    ]


def unlike_the_rest(started: Started, window: Window) -> list[dict[str, Any]]:
    """What was left out of the measured part beyond the warm-up that was asked for, as an event."""
    cut_s = (window.measured_from_ns - started.measured_from_ns) / 1e9
    if cut_s <= 0:
        return []
    said = f"the first {cut_s:.1f} s after the warm-up were unlike the rest and are left out (MSER-5)"
    return [{"t_ns": started.measured_from_ns, "kind": "cut", "part": window.name, "said": said, "log_end": ""}]


def silence(address: str, found: Receipts) -> str | None:
    """What to say where not one request was carried out."""
    if (found["outcome"] == OK).any():
        return None
    codes, counts = np.unique(found["outcome"], return_counts=True)
    told = ", ".join(f"{count} {outcome_name(int(code))}" for code, count in zip(codes, counts, strict=True))
    return (
        f"{address} carried out none of {len(found)} requests ({told or 'none was sent'}); look at `lab status` and at"
        " the logs in .lab/cluster/logs"
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
        workers=load.processes,
        hosts=load.hosts,
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


def _listen(generator: Generator, heard: _Heard, telling: _Telling, starts: Starts, meter: Meter) -> None:
    """Until the generator has ended. The first Ctrl-C asks it to stop and goes on listening; a second one is raised."""
    try:
        _hear(generator, heard, telling, starts, meter)
    except KeyboardInterrupt:
        heard.cut_ns = time.time_ns()
        if heard.noise:
            heard.noise.stop()
        generator.stop()
        _hear(generator, heard, telling, starts, meter)


def _hear(generator: Generator, heard: _Heard, telling: _Telling, starts: Starts, meter: Meter) -> None:
    for report in generator:
        match report:
            case Started():
                heard.started = report
                heard.noise = meter(report.measured_from_ns, report.measured_until_ns)
                for start in starts:
                    start(report.measured_from_ns)
            case Second():
                heard.seconds.append(report)
                telling.cluster.show_load(figures_of(report))
                if heard.started and report.t_ns < heard.started.measured_until_ns:
                    telling.tell(report, heard.started, len(heard.seconds))
            case Ended():
                heard.ended_ns = report.ended_ns
                telling.cluster.show_load({})


def _listen_to_machine(listening: ExitStack, cluster: Cluster, log: Path, from_ns: int, until_ns: int) -> NoiseMeter:
    """Until `listening` is closed."""
    meter = listening.enter_context(NoiseMeter(from_ns, until_ns, log, partial(_used_s, cluster)))
    cluster.host(meter.pid)
    return meter


def _used_s(cluster: Cluster) -> float | None:
    """CPU seconds of all that is the lab's: the cluster, whom it hosts, and this process."""
    with suppress(ClusterError):  # it has ended, which others say
        used_s = cluster.cpu_seconds()
        return None if used_s is None else used_s + time.process_time()
    return None


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
