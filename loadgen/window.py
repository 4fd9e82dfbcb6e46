"""One window under load: the generator started, listened to and ended, with the machine's noise beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy.cluster import Cluster
from deploy.levers import Lever
from loadgen.arrivals import Constant, Poisson
from loadgen.assignment import Assignment, Second, Started, Trading
from loadgen.campaign import Campaign, PlannedWindow
from loadgen.ctrl_c import FIRST, CtrlC
from loadgen.generator import Generator, GeneratorError
from loadgen.latency import Receipts, histograms, read_receipts
from loadgen.listener import Listener
from loadgen.live import Show
from loadgen.market_watch import MarketWatch, Seen
from loadgen.noise import Noise
from loadgen.prove import Interventions
from loadgen.receipts import OK, outcome_name
from loadgen.record import Invalidity, Window
from loadgen.search import Served
from loadgen.timeline import Timeline
from loadgen.validity import MeasuredPart, conditions, reasons
from loadgen.warm_up import steady_from_ns

Progress = Callable[[str], None]
"""Takes one line for people at a time."""


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
    assignment = assign(cluster, campaign, planned, id_prefix, receipts)
    with (
        Timeline(cluster, campaign.faults) as timeline,
        Interventions(cluster, planned.name, campaign, levers) as interventions,
        MarketWatch(cluster, planned, scratch) as market,
        Listener(cluster, planned.name, show, rest_s, scratch / "sleeper.log") as heard,
        Generator(assignment, cluster.group("generator").place, scratch / "generator.log") as generator,
    ):
        heard.listen(generator, (timeline.start, interventions.start))
        ctrl_c.spare(FIRST)
    if heard.started is None:
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
        noise=heard.noise,
        generator_allotment_cores=planned.topology.generator.cpu_cores or float(max(planned.load.workers, 1)),
        events=(*joined(heard.started), *unlike_the_rest(heard.started, window), *timeline.events),
        interventions=tuple(interventions.rows),
        market=market.seen,
    )


def _as_loaded(
    campaign: Campaign,
    planned: PlannedWindow,
    found: Receipts,
    started: Started,
    heard: Listener,
    *,
    is_disturbed: bool,
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
