"""A live cluster: brought up from a topology, asked where things answer, renewed, broken on purpose, taken down.

    with Cluster.up(topology, directory) as cluster:
        cluster.address("haproxy")          # 127.0.0.1:20003
        cluster.renew(topology.with_overrides({"gateways": 4}))

The cluster is kept by a supervisor, a process of its own (deploy/local). Leaving the block takes everything down, and
so does the death of this process, whatever kills it. `Cluster.up(..., detach=True)` is for a cluster that outlives it;
`Cluster.attach` finds such a one again, `take_down` ends it or what a crash left of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from deploy.documents import fault_text
from deploy.local.control import Refused, Say, Unreachable, ask
from deploy.local.cpu_groups import discover
from deploy.local.launch import ROOT, start_ticks
from deploy.local.site import Layout
from deploy.local.status import ClusterEvent, EventKind, PartState, PartStatus
from deploy.local.traces import hold, read_state, remove_all
from deploy.topology import Topology

__all__ = ["Cluster", "ClusterError", "ClusterEvent", "EventKind", "PartState", "PartStatus", "Secrets", "take_down"]

UP_DEADLINE_S = 180.0
ASK_DEADLINE_S = 10.0
RENEW_DEADLINE_S = 60.0
DOWN_DEADLINE_S = 30.0
SCRAPED_DEADLINE_S = 20.0
POLL_S = 0.05
ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""Each scrape is a thread of its own, and glibc gives each the next of 8 arenas a core. What lives long and is now and
then allocated anew, as Python's table of interned strings, then leaves its old size behind in one after the other, and
the supervisor grows for hours. Its parts do not inherit this."""


class ClusterError(Exception):
    """The cluster could not do what it was asked; the text says what, where and what to do next."""


@dataclass(frozen=True, slots=True)
class Secrets:
    api_keys: Path  # JSON: account → key
    ledger_dsns: tuple[str, ...]  # one a shard; they name a file with the password
    redis_url: str
    redis_password_file: Path
    grafana_password_file: Path
    aws_credentials: Path  # JSON: access key → secret key, of the SNS front


@dataclass(frozen=True, slots=True)
class CpuGroup:
    """Where a process that the cluster did not start is bounded and accounted; its later children go with it."""

    name: str
    place: Callable[[int], None]


@dataclass(slots=True)
class Cluster:
    directory: Path
    _supervisor_pid: int
    _lifeline: int | None = None
    _process: subprocess.Popen[str] | None = None
    _described: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def up(cls, topology: Topology, directory: Path, *, detach: bool = False, say: Say = lambda _: None) -> Cluster:
        """Start everything and wait until all of it answers. Raises ClusterError, after which nothing is left."""
        _refuse_faulty(topology)
        directory = directory.absolute()
        reading, lifeline = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local.supervisor", str(directory), "--lifeline", str(reading)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=ROOT,
                env=os.environ | ONE_ARENA,
                pass_fds=(reading,),
                start_new_session=True,  # Ctrl-C is for the starter alone
            )
        finally:
            os.close(reading)
        cluster = cls(directory, process.pid, lifeline, process)
        try:
            _wait_until_up(process, topology, say, Layout(directory).log("supervisor"))
        except BaseException:
            with contextlib.suppress(ClusterError):  # the directory is another cluster's, which goes on
                cluster._let_go()
            raise
        if detach:
            os.write(lifeline, b"d")
            os.close(lifeline)
            cluster._lifeline = None
        cluster._describe()
        return cluster

    @classmethod
    def attach(cls, directory: Path) -> Cluster | None:
        """The cluster that lives in this directory, if one answers there."""
        layout = Layout(directory.absolute())
        state = read_state(layout)
        if state is None:
            return None
        cluster = cls(layout.directory, state["supervisor"]["pid"])
        try:
            cluster._describe()
        except ClusterError:
            return None
        return cluster

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    @property
    def topology(self) -> Topology:
        return Topology.model_validate(self._described["topology"])

    @property
    def engine(self) -> Path:
        """The engine's program; what reads its journal lies beside it."""
        return Path(self._described["engine"])

    @property
    def journal(self) -> Path:
        """The engine's journal directory; a renewal begins another."""
        return Path(self._described["journal"])

    @property
    def spans(self) -> Path:
        """Where the collector writes spans, OTLP JSON lines; absent where there is no collector."""
        return Path(self._described["spans"])

    @property
    def grafana(self) -> Path | None:
        """The Grafana that serves the boards here; None: the lab's own rendering does."""
        found = self._described["grafana"]
        return Path(found) if found else None

    @property
    def logs(self) -> Path:
        """One file a part, NAME.jsonl."""
        return Layout(self.directory).logs

    @property
    def quotas(self) -> str:
        """How CPU quotas are applied here, or why they are not."""
        return str(self._described["quotas"])

    @property
    def lacking(self) -> tuple[str, ...]:
        """What the topology wants and this machine does not have, as sentences."""
        return tuple(self._described["lacking"])

    @property
    def secrets(self) -> Secrets:
        folder = Layout(self.directory).secrets
        dsns = tuple(self._described["ledger_dsns"])
        return Secrets(
            folder / "api_keys.json",
            dsns,
            self._described["redis_url"],
            folder / "redis_password",
            folder / "grafana_password",
            folder / "aws_credentials.json",
        )

    def address(self, part: str) -> str:
        """host:port of a listener: haproxy, gateway-1, ledger-1, redis, engine, prometheus, loki, collector ..."""
        addresses: dict[str, str] = self._described["addresses"]
        if part not in addresses:
            raise ClusterError(f"{part} does not listen in this cluster; use one of {', '.join(addresses)}")
        return addresses[part]

    def parts(self) -> list[PartStatus]:
        return [PartStatus(**status | {"state": PartState(status["state"])}) for status in self._ask("parts")]

    def events(self, since_ns: int = 0) -> list[ClusterEvent]:
        """What happened since then (wall clock): deaths with the end of the log, restarts, parts given up."""
        found = self._ask("events", since_ns=since_ns)
        return [ClusterEvent(**event | {"kind": EventKind(event["kind"])}) for event in found]

    def renew(self, topology: Topology, say: Say = lambda _: None) -> None:
        """The order path anew and empty, as this topology wants it. Servers of telemetry go on."""
        _refuse_faulty(topology)
        self._ask("renew", RENEW_DEADLINE_S, say, topology=topology.model_dump(mode="json"))
        self._describe()

    def restart(self, component: str, say: Say = lambda _: None) -> None:
        """The part of this name, also one that was given up; or every part of a component, one after the other.

        That is how an update goes; of two or more gateways no client notices, a single one has no stand-in.
        Raises ClusterError if a part does not come back.
        """
        self._ask("restart", RENEW_DEADLINE_S, say, component=component)

    def show_load(self, figures: Mapping[str, Mapping[str, float]]) -> None:
        """What the generator says of a second, for Prometheus: metric → label (or "") → value; nothing at its end."""
        self._ask("load", figures=figures)

    def signal(self, part: str, signum: int, *, whole: bool = False) -> None:
        """Send a part's process a signal, as a fault; the supervisor then does what the restart policy says.

        `whole`: all its processes. Postgres has one a connection, which its first process cannot stop by stopping.
        `generator`: the load generator's, always all of them.
        """
        self._ask("signal", part=part, signal=int(signum), whole=whole)

    def join(self, part: str, pid: int) -> None:
        """Put a foreign process into a part's CPU group: it uses what that part may use, and is counted with it."""
        self._ask("join", part=part, pid=pid)

    def host(self, pid: int) -> None:
        """Count a process that runs beside the cluster as the lab's; it is bounded by nothing."""
        self._ask("host", pid=pid)

    def cpu_seconds(self) -> float | None:
        """What everything has used so far that is or was of this cluster: parts, the generator, who is hosted. None
        where the machine does not account groups of processes."""
        found = self._ask("cpu_seconds")
        return None if found is None else float(found)

    def set_cpu_quota(self, part: str, cores: float | None) -> None:
        """Bound a live part to so many cores, or to none. Raises ClusterError where the machine permits no quotas."""
        self._ask("quota", part=part, cores=cores)

    @property
    def throttle_per_s(self) -> int:
        """Orders admitted in a second, over all clients, now. Raises ClusterError where the topology has no limit."""
        return int(self._ask("throttle"))

    def set_throttle(self, per_s: int) -> None:
        """On the live HAProxy, until it is started again. Raises ClusterError where the topology has no limit."""
        self._ask("set_throttle", per_s=per_s)

    def set_disk(self, part: str, *, sync_delay_ms: float = 0.0, is_full: bool = False) -> None:
        """What a part that runs with `disk_faults` finds from now on: each sync takes longer, no file may grow."""
        self._ask("disk", part=part, sync_delay_ns=round(sync_delay_ms * 1e6), is_full=is_full)

    def set_pool(self, gateway: str, connections: int | None) -> None:
        """How many of a gateway's connections to each shard may work at once; None: all that it has."""
        self._ask("pool", part=gateway, connections=connections)

    def set_resting(self, gateway: str, resting: bool) -> None:
        """HAProxy sends a resting gateway nothing; until it works again the cluster counts as not whole."""
        self._ask("rest", part=gateway, resting=resting)

    def group(self, name: str) -> CpuGroup:
        if name != "generator":
            raise ClusterError(f"{name} is no group for others; use generator")
        return CpuGroup(name, lambda pid: self._ask("place", pid=pid))

    def await_scraped(self, deadline_s: float = SCRAPED_DEADLINE_S) -> None:
        """Until Prometheus scrapes every part of the present topology; it follows a renewal some seconds later."""
        url = f"http://{self.address('prometheus')}/api/v1/targets?state=active"
        wanted = set(self._described["targets"])
        deadline = time.monotonic() + deadline_s
        while True:
            with urllib.request.urlopen(url, timeout=ASK_DEADLINE_S) as answer:
                active = json.load(answer)["data"]["activeTargets"]
            up = {target["discoveredLabels"]["__address__"] for target in active if target["health"] == "up"}
            if up == wanted:
                return
            if time.monotonic() > deadline:
                raise ClusterError(f"Prometheus does not scrape {sorted(wanted - up)} after {deadline_s:g} s")
            time.sleep(POLL_S)

    def down(self) -> None:
        """Take everything down and wait until nothing is left."""
        with contextlib.suppress(ClusterError):  # it has ended already; then only its traces are left
            self._ask("down")
        self._let_go()

    def _let_go(self) -> None:
        """Close the lifeline, wait for the supervisor's end, and see to it that it has left nothing."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        _await_end(self._supervisor_pid, self._process)
        _remove_traces(self.directory)

    def _describe(self) -> None:
        self._described = self._ask("describe")

    def _ask(self, do: str, deadline_s: float = ASK_DEADLINE_S, say: Say = lambda _: None, **more: Any) -> Any:
        try:
            return ask(Layout(self.directory).socket, {"do": do, **more}, deadline_s, say)
        except (Refused, Unreachable) as error:
            raise ClusterError(str(error)) from error


def take_down(directory: Path) -> bool:
    """End the cluster in this directory, live or crashed. False: there was none."""
    cluster = Cluster.attach(directory)
    if cluster is not None:
        cluster.down()
        return True
    return _remove_traces(directory.absolute())


def _refuse_faulty(topology: Topology) -> None:
    """Raises ClusterError with all that is wrong with the topology on this machine."""
    faults = topology.faults(len(os.sched_getaffinity(0)))
    if faults:
        raise ClusterError("\n".join(f"topology: {fault_text(fault)}" for fault in faults))


def _wait_until_up(process: subprocess.Popen[str], topology: Topology, say: Say, log: Path) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended; what it said comes below
        process.stdin.write(topology.model_dump_json())
        process.stdin.close()
    watchdog = threading.Timer(UP_DEADLINE_S, process.terminate)
    watchdog.daemon = True
    watchdog.start()
    try:
        _read_until_up(process, say, log)
    finally:
        watchdog.cancel()


def _read_until_up(process: subprocess.Popen[str], say: Say, log: Path) -> None:
    assert process.stdout is not None
    unexpected = []
    for line in process.stdout:
        try:
            told = json.loads(line)
        except ValueError:
            unexpected.append(line)
            continue
        if "done" in told:
            return
        if "failed" in told:
            raise ClusterError(told["failed"])
        say(told["said"])
    raise ClusterError(f"the supervisor ended with exit {process.wait()}; see {log}\n{''.join(unexpected)}")


def _await_end(pid: int, process: subprocess.Popen[str] | None) -> None:
    deadline = time.monotonic() + DOWN_DEADLINE_S
    started = start_ticks(pid)
    while start_ticks(pid) == started is not None:
        if time.monotonic() > deadline:
            os.kill(pid, 9)
        time.sleep(POLL_S)
    if process is not None:
        process.wait()


def _remove_traces(directory: Path) -> bool:
    """Whether there were any. Raises ClusterError where a supervisor holds the directory and does not answer."""
    layout = Layout(directory)
    if not directory.exists():
        return False
    handle = hold(layout)
    if handle is None:
        raise ClusterError(f"a supervisor in {directory} is coming up or going down; try again in a moment")
    try:
        found = layout.state.exists() or layout.data.exists()
        remove_all(layout, discover(layout.name))
    finally:
        os.close(handle)
    return found
