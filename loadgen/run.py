"""From a campaign to a sealed run: for each window renew the cluster, warm up, load, collect, reconcile; then seal.

Ctrl-C cuts the window under load short, or waits for one whose load is over; what there is, is collected, reconciled
and sealed as aborted, and everything stops. A second Ctrl-C gives up that window: the run has those before it, and
without any there is none. While a window is recorded and while a run is sealed it does nothing. A part of the cluster
that dies ends nothing: its death and its restart are among the run's events, and the reconciliation says whether a
promise was broken.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from deploy.cluster import Cluster, ClusterError
from deploy.faults.fault import inflicted
from deploy.levers import Lever
from deploy.topology import Topology
from loadgen import collect
from loadgen.alert_events import alert_events
from loadgen.campaign import Campaign, PlannedWindow
from loadgen.ctrl_c import ALL, NONE, CtrlC
from loadgen.latency import acknowledgements
from loadgen.live import Show, lines
from loadgen.machine import commit, machine_facts
from loadgen.reconcile import reconcile_window, total
from loadgen.record import DIFFERENCES, Invalidity, Window
from loadgen.seal import RunWriter
from loadgen.search import Step, course
from loadgen.spans import SpanFile, log_lines, with_clients, with_front
from loadgen.versions import versions
from loadgen.window import Loaded, Progress, load

ATTEMPTS_MAX = 3
ROWS_AT_ONCE = 200_000


def run_campaign(
    campaign: Campaign,
    runs: Path,
    cluster_directory: Path,
    progress: Progress,
    show: Show | None = None,
    levers: Sequence[Lever] = (),
    prediction: str | None = None,
    attempts_max: int = ATTEMPTS_MAX,
) -> Path:
    """Runs the campaign and gives the sealed run's folder; `levers` are turned in each of its windows.

    Its manifest names the hash of the `prediction` that was made of it, if any. `attempts_max`: how often a window is
    loaded at most where the machine disturbs it; a proof is loaded once.

    `show` gets each second of load; without it `progress` gets some of them as lines.

    Uses the cluster that `lab up` left in `cluster_directory`, else brings one up there and takes it down afterwards.
    Raises RunNotWrittenError, ClusterError, GeneratorError or CollectError; then nothing was sealed.
    KeyboardInterrupt where Ctrl-C came before anything was measured.
    """
    plan = campaign.plan()
    started_ns = time.time_ns()
    run_id = f"{datetime.fromtimestamp(started_ns // 10**9, UTC):%Y%m%dT%H%M%SZ}-{campaign.name}"
    with (
        RunWriter(runs, run_id, prediction) as writer,
        cluster_for(plan[0].topology, cluster_directory, progress) as cluster,
        CtrlC() as ctrl_c,
    ):
        progress("taking down the facts of the machine")
        facts = machine_facts(cluster_directory, cluster.quotas)
        run = _Run(
            campaign, writer, cluster, progress, show or lines(progress), started_ns, SpanFile(cluster.spans), ctrl_c,
            levers, 1 if levers else attempts_max,
        )  # fmt: skip
        status = run.through(len(plan))
        ctrl_c.spare(ALL)
        writer.write("machine.json", asdict(facts))
        run.close()
        sealed = writer.seal(status)
    progress(f"sealed: {sealed}")
    return sealed


@contextlib.contextmanager
def cluster_for(topology: Topology, directory: Path, progress: Progress) -> Iterator[Cluster]:
    """The one that is up there, which goes on; else a new one, taken down at the end."""
    running = Cluster.attach(directory)
    if running is not None:
        progress("using the cluster that is up")
        yield running
        return
    progress("starting the cluster")
    with Cluster.up(topology, directory, say=progress) as cluster:
        yield cluster


@dataclass(slots=True)
class _Run:
    """A run being recorded, window by window."""

    campaign: Campaign
    writer: RunWriter
    cluster: Cluster
    progress: Progress
    show: Show
    started_ns: int
    span_file: SpanFile
    ctrl_c: CtrlC
    levers: Sequence[Lever]
    attempts_max: int
    reasons: list[Invalidity] = field(default_factory=list)
    happened: list[dict[str, Any]] = field(default_factory=list)
    """Events beside the cluster's own: faults of the campaign, windows that were loaded again."""
    topologies: dict[str, Any] = field(default_factory=dict)
    reconciliations: dict[str, dict[str, Any]] = field(default_factory=dict)

    def through(self, windows_max: int) -> str:
        """Every window, or those until Ctrl-C: complete or aborted."""
        windows = course(self.campaign)
        try:
            step = next(windows)
            with contextlib.suppress(StopIteration):
                while True:
                    at = f"window {step.planned.position + 1} of {windows_max}, {step.planned.name}"
                    self.progress(f"{at}: renewing the order path")
                    loaded = self._window(step)
                    if self.ctrl_c.came:
                        return "aborted"
                    step = windows.send(loaded.served())
        except KeyboardInterrupt:
            if not self.reconciliations:
                raise
            return "aborted"
        return "complete"

    def _window(self, step: Step) -> Loaded:
        """Loaded and recorded. A window that the machine disturbed is loaded again, a few times at most."""
        attempt = 1
        loaded, acks, found = self._attempt(step, attempt)
        while attempt < self.attempts_max and self._is_to_be_repeated(loaded, found):
            attempt += 1
            loaded, acks, found = self._attempt(step, attempt)
        self._record(loaded, step.planned, acks, found)
        return loaded

    def _attempt(self, step: Step, attempt: int) -> tuple[Loaded, pa.Table, dict[str, Any]]:
        """Renewed, loaded and reconciled. KeyboardInterrupt where Ctrl-C came before anything was measured."""
        planned = step.planned
        self.ctrl_c.spare(NONE)
        self.cluster.renew(planned.topology)
        self.cluster.await_scraped()
        prefix = f"{self.writer.run_id[:16]}-{planned.position}" + (f"r{attempt}" if attempt > 1 else "")
        scratch = self.writer.scratch
        with ExitStack() as reverts:
            for fault in self.campaign.standing:
                reverts.enter_context(inflicted(self.cluster, fault))
            loaded = load(
                self.cluster, self.campaign, planned, prefix, scratch, self.show, step.rest_s, self.ctrl_c, self.levers
            )  # fmt: skip
        if loaded is None:
            raise KeyboardInterrupt
        self.progress("  collecting and reconciling")
        acks = acknowledgements(planned.name, loaded.id_prefix, loaded.receipts)
        found = reconcile_window(self.cluster, acks, self.writer.scratch)
        self.progress(f"  {found['acknowledged']:,} commands acknowledged, {found['lost']} lost")
        return loaded, acks, found

    def _is_to_be_repeated(self, loaded: Loaded, reconciliation: dict[str, Any]) -> bool:
        """Only where the machine alone is to blame and no promise was broken; the run's events say so."""
        reasons = loaded.invalidities()
        is_faulty = any(reconciliation[name] for name in DIFFERENCES)
        if not reasons or self.ctrl_c.came or is_faulty or any(reason.blames != "machine" for reason in reasons):
            return False
        said = "; ".join(reason.sentence for reason in reasons)
        said += f" ({reconciliation['acknowledged']:,} acknowledged, none lost)"
        self.progress(f"  set aside and loaded again: {said}")
        set_aside = {
            "t_ns": time.time_ns(),
            "kind": "repeated",
            "part": loaded.window.name,
            "said": said,
            "log_end": "",
        }
        self.happened.append(set_aside)
        return True

    def _record(self, loaded: Loaded, planned: PlannedWindow, acks: pa.Table, reconciliation: dict[str, Any]) -> None:
        self.ctrl_c.spare(ALL)  # half a window in the tables would be a run that lies
        window = loaded.window
        prometheus = f"http://{self.cluster.address('prometheus')}"
        append = self.writer.append
        append("acks", acks)
        append("latency", loaded.latencies())
        series = collect.series(prometheus, window.name, window.started_ns, window.ended_ns)
        while rows := list(islice(series, ROWS_AT_ONCE)):  # an hour has millions
            append("series", rows)
        self._record_traces(window, acks)
        append("generator", generator_rows(loaded))
        append("noise", [{"window": window.name, **asdict(loaded.noise)}])
        append("windows", [window.as_row()])
        append("interventions", loaded.interventions)
        self.reasons += loaded.invalidities()
        self.happened += loaded.events
        self.topologies[window.name] = planned.topology.model_dump(mode="json")
        self.reconciliations[window.name] = reconciliation

    def _record_traces(self, window: Window, acks: pa.Table) -> None:
        """What the traced orders of the window went through; nothing where no collector or no Loki runs."""
        spans = self.span_file.rows(window.name, window.started_ns, window.ended_ns)
        lines: list[dict[str, Any]] = []
        with contextlib.suppress(ClusterError):  # without Loki there is no such address
            loki = f"http://{self.cluster.address('loki')}"
            traces = {span["trace_id"] for span in spans}
            lines = log_lines(loki, window.name, traces, window.started_ns, window.ended_ns)
        self.writer.append("spans", with_front(with_clients(spans, acks), lines))
        self.writer.append("log_lines", lines)

    def close(self) -> None:
        """The documents, once the last window is in."""
        write = self.writer.write
        events = [*(asdict(event) for event in self.cluster.events(self.started_ns)), *self.happened]
        events += alert_events(self.cluster, self.started_ns)
        events.sort(key=lambda event: event["t_ns"])
        write("events.jsonl", "".join(f"{json.dumps(event)}\n" for event in events))
        write("campaign.yaml", self.campaign.as_yaml())
        write("topologies.json", self.topologies)
        write("versions.json", versions(self.cluster.engine))
        write("reconciliation.json", total(self.reconciliations))
        write("logs.json", collect.logs(self.cluster.logs))
        write("run.json", {
            "id": self.writer.run_id, "commit": commit(), "seed": self.campaign.seed, "started_ns": self.started_ns,
            "ended_ns": time.time_ns(), "valid": not self.reasons,
            "reasons": [asdict(reason) for reason in self.reasons],
        })  # fmt: skip


def generator_rows(loaded: Loaded) -> list[dict[str, Any]]:
    return [
        {
            "window": loaded.window.name, "t_ns": second.t_ns, "cpu_seconds": second.cpu_seconds,
            "cpu_quota_cores": loaded.generator_allotment_cores, "wake_lag_p99_ns": second.wake_lag_p99_ns,
            "in_flight": second.in_flight, "requests": second.requests,
            "schedule_error_p99_ns": second.schedule_error_p99_ns, "offered": second.offered, "sent": second.sent,
            "lag_ns": second.lag_ns,
        }
        for second in loaded.seconds
    ]  # fmt: skip
