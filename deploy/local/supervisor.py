"""The process that keeps a cluster: `python -m deploy.local.supervisor DIRECTORY --lifeline FD`, from `Cluster.up`.

It reads a topology from standard input, brings everything up, says so on standard output (JSON lines), then answers
requests on the control socket. It takes everything down when it is asked to, on SIGTERM or SIGINT, or when the lifeline
ends: the other end of that pipe is held by whoever started it, so even kill -9 of the starter leaves nothing. A `d` in
the pipe detaches the cluster from its starter. One supervisor a directory: it holds a lock on it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from pydantic import ValidationError

from deploy.local import disk, front
from deploy.local.accounting import Account, ClusterCollector, cpu_usage, memory_bytes, pids_of
from deploy.local.control import Say, serve
from deploy.local.cpu_groups import CpuGroups, Limit, discover
from deploy.local.fleet import GENERATOR, Fleet
from deploy.local.front import FrontError
from deploy.local.launch import start_ticks
from deploy.local.load_figures import LoadFigures
from deploy.local.logs import keep_bounded
from deploy.local.plan_beside import GROUP, lacking, targets
from deploy.local.postgres import LedgerError
from deploy.local.process import PartFailed, Process
from deploy.local.site import Layout, Ports, Programs, Secrets, Site, SiteError
from deploy.local.status import ClusterEvent, PartState, PartStatus
from deploy.local.traces import hold, note, remove_all
from deploy.topology import Topology

EVENTS_MAX = 1_000
HOUSEKEEPING_EVERY_S = 2.0
OWN_GROUP = f"{GROUP}/supervisor"
GUESTS, WHOLE = "guests", ""
DETACH = b"d"


class Impossible(Exception):
    """A request that cannot be fulfilled; the text says why and what to do."""


FAILURES: tuple[type[Exception], ...] = (
    PartFailed, LedgerError, SiteError, FrontError, Impossible, OSError, ValidationError,
)  # fmt: skip


class Supervisor:
    def __init__(self, layout: Layout, topology: Topology, groups: CpuGroups) -> None:
        self.stopped = asyncio.Event()
        self._layout, self._groups = layout, groups
        self._ports = Ports(topology.ports)
        self._secrets = Secrets.make(layout.secrets)
        self._programs = Programs.find()
        self._events: deque[ClusterEvent] = deque(maxlen=EVENTS_MAX)
        self._fleet = Fleet(self._site(topology, 1), groups, self._happened)
        self._generator: tuple[int, int | None] | None = None
        self._load = LoadFigures()
        self._changing = asyncio.Lock()

    async def up(self, say: Say) -> None:
        site = self._fleet.site
        problems = self._programs.missing(site.topology) + self._ports.taken(site.topology.listeners())
        if problems:
            raise SiteError("\n".join(problems))
        for sentence in lacking(site):
            say(sentence)
        for group in (OWN_GROUP, GUESTS):
            self._groups.make(group, Limit())
        self._join(os.getpid(), OWN_GROUP)
        registry = CollectorRegistry()
        registry.register(ClusterCollector(self._accounts, self._groups))
        registry.register(self._load)
        start_http_server(site.ports["supervisor"], "127.0.0.1", registry)
        await self._fleet.up(say)
        self.note()

    async def down(self) -> None:
        await self._fleet.down()
        self._groups.remove()

    async def keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_EVERY_S)
            for task in (self.note, lambda: keep_bounded(self._layout.logs)):
                with contextlib.suppress(OSError):  # a full disk, as a rule: the next turn tries again
                    task()

    async def answer(self, request: dict[str, Any], say: Say) -> Any:
        match request["do"]:
            case "describe":
                return self._described()
            case "parts":
                return [asdict(status) for status in self._statuses()]
            case "events":
                return [asdict(event) for event in self._events if event.t_ns >= request["since_ns"]]
            case "renew":
                return await self._renew(Topology.model_validate(request["topology"]), say)
            case "restart":
                return await self._restart(request["component"], say)
            case "signal":
                return self._send(request["part"], request["signal"], request["whole"])
            case "quota":
                return self._bound(request["part"], request["cores"])
            case "disk":
                return self._set_disk(request["part"], request["sync_delay_ns"], request["is_full"])
            case "pool":
                return self._bound_pool(request["part"], request["connections"])
            case "rest":
                return front.rest(self._layout.front, self._part(request["part"]).spec, request["resting"])
            case "throttle":
                return front.throttle_per_s(self._layout.front)
            case "set_throttle":
                return front.set_throttle(self._layout.front, request["per_s"])
            case "load":
                return self._load.told(request["figures"])
            case "place":
                return self._place(request["pid"])
            case "join":
                return self._join(request["pid"], self._part(request["part"]).spec.cpu_group)
            case "host":
                return self._join(request["pid"], GUESTS)
            case "cpu_seconds":
                return self._cpu_seconds()
            case "down":
                self.stopped.set()
                return None
            case other:
                raise Impossible(f"{other} is no request")

    def note(self) -> None:
        """Write down what runs, for whoever has to clean up after a crash."""
        pids = {name: process.pid for name, process in self._fleet.processes.items() if process.pid is not None}
        note(self._layout, os.getpid(), pids, {"ports": dict(self._fleet.site.ports)})

    async def _renew(self, topology: Topology, say: Say) -> None:
        now = self._fleet.site.topology
        fixed = ("observability", "accounts")
        unlike = [name for name in fixed if getattr(now, name) != getattr(topology, name)]
        if unlike:
            raise Impossible(f"a renewal keeps {' and '.join(unlike)}; take the cluster down and up for another one")
        async with self._changing:
            self._ports.fix(topology.ports)
            await self._fleet.renew(self._site(topology, self._fleet.site.generation + 1), say)
            self.note()

    async def _restart(self, component: str, say: Say) -> None:
        known = {process.spec.component for process in self._fleet.processes.values()} | self._fleet.processes.keys()
        if component not in known:
            raise Impossible(f"{component} is no component here; use one of {', '.join(sorted(known))}")
        async with self._changing:
            await self._fleet.restart(component, say)
            self.note()

    def _site(self, topology: Topology, generation: int) -> Site:
        ports = {name: self._ports.of(name) for name in topology.listeners()}
        return Site(topology, self._layout, ports, self._secrets, self._programs, generation)

    def _described(self) -> dict[str, Any]:
        site = self._fleet.site
        return {
            "topology": site.topology.model_dump(mode="json"),
            "addresses": {name: f"127.0.0.1:{port}" for name, port in site.ports.items()},
            "engine": str(site.programs.engine),
            "journal": str(site.journal),
            "spans": str(site.spans),
            "ledger_dsns": site.ledger_dsns,
            "redis_url": site.redis_url,
            "grafana": str(site.programs.grafana) if site.programs.grafana else None,
            "quotas": self._groups.word,
            "lacking": lacking(site),
            "targets": [address for target in targets(site) for address in target["targets"]],
        }

    def _part(self, name: str) -> Process:
        process = self._fleet.processes.get(name)
        if process is None:
            raise Impossible(f"{name} is no part; use one of {', '.join(self._fleet.processes)}")
        return process

    def _bound(self, part: str, cores: float | None) -> None:
        process = self._part(part)
        self._groups.bound(process.spec.cpu_group, cores)
        process.cpu_quota_cores = cores

    def _set_disk(self, part: str, sync_delay_ns: int, is_full: bool) -> None:
        control = self._part(part).spec.disk_control
        if control is None:
            raise Impossible(f"{part} runs without disk faults; set disk_faults of its component in the topology")
        disk.tell(control, sync_delay_ns, is_full)

    def _bound_pool(self, part: str, connections: int | None) -> None:
        """None: as many as it has."""
        process = self._part(part)
        if process.spec.pool_file is None:
            raise Impossible(f"{part} has no connections to the ledger that could be bounded; use gateway-1 and so on")
        most = int(process.spec.files[process.spec.pool_file])
        process.spec.pool_file.write_text(str(most if connections is None else connections))
        self._send(part, signal.SIGHUP, False)

    def _send(self, part: str, signum: int, whole: bool) -> None:
        if part == GENERATOR:
            return self._send_generator(signum)
        process = self._part(part)
        if not process.send(signum, whole=whole):
            raise Impossible(f"{part} does not run ({process.state})")
        return None

    def _send_generator(self, signum: int) -> None:
        """No part of the cluster, but it may be struck as one."""
        pids = pids_of(Account(GENERATOR, GENERATOR, GENERATOR, self._generator_pid()), self._groups)
        if not pids:
            raise Impossible("no generator is at work; start a load first")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # it ends in this moment
                os.kill(pid, signum)

    def _join(self, pid: int, group: str) -> None:
        for entrance in self._groups.entrances(group):
            entrance.write_text(str(pid))

    def _place(self, pid: int) -> None:
        self._join(pid, GENERATOR)
        self._generator = pid, start_ticks(pid)

    def _cpu_seconds(self) -> float | None:
        used = self._groups.usage(WHOLE)
        return None if used is None else used.used_ns / 1e9

    def _generator_pid(self) -> int | None:
        """As long as it runs: the machine may have given its pid to another process since."""
        pid, started = self._generator or (0, None)
        return pid if started is not None and start_ticks(pid) == started else None

    def _happened(self, event: ClusterEvent) -> None:
        """Told by who keeps a part, whom a full disk must not end; the housekeeping notes later what runs."""
        self._events.append(event)
        with contextlib.suppress(OSError):
            print(json.dumps({"ts": event.t_ns, "event": event.kind, **asdict(event)}), file=sys.stderr, flush=True)
            self.note()

    def _accounts(self) -> Iterator[Account]:
        for process in tuple(self._fleet.processes.values()):
            yield account_of(process)
        yield Account("supervisor", "supervisor", OWN_GROUP, os.getpid())
        cores = self._fleet.site.topology.generator.cpu_cores
        yield Account(GENERATOR, GENERATOR, GENERATOR, self._generator_pid(), cores)

    def _statuses(self) -> Iterator[PartStatus]:
        for process in self._fleet.processes.values():
            account = account_of(process)
            yield PartStatus(
                name=account.instance,
                component=account.component,
                state=process.state,
                address=process.spec.address,
                pid=process.pid,
                cpu_seconds=cpu_usage(account, self._groups).used_ns / 1e9,
                cpu_quota_cores=account.quota_cores,
                memory_bytes=memory_bytes(pids_of(account, self._groups)),
                restarts=process.restarts,
                said=process.said,
            )


def account_of(process: Process) -> Account:
    spec = process.spec
    return Account(
        component=spec.component,
        instance=spec.name,
        group=spec.cpu_group,
        pid=process.pid,
        quota_cores=process.cpu_quota_cores,
        restarts=process.restarts,
        is_up=process.state is PartState.UP,
        asked=process.asked,
        answer_s=process.answer_s,
    )


async def run(layout: Layout, lifeline: int) -> None:
    """From the lock to the last trace removed."""
    topology = Topology.model_validate_json(sys.stdin.read())
    layout.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hold(layout) is None:
        tell(failed=f"a cluster is up already in {layout.directory}; take it down first")
        return
    remove_all(layout)  # of one that crashed here
    layout.make()
    os.dup2(os.open(layout.log("supervisor"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), sys.stderr.fileno())
    try:
        await live(Supervisor(layout, topology, discover(layout.name)), layout, lifeline)
    finally:
        layout.remove()


async def live(supervisor: Supervisor, layout: Layout, lifeline: int) -> None:
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, supervisor.stopped.set)
    loop.add_reader(lifeline, watch_lifeline, lifeline, supervisor.stopped)
    house = asyncio.create_task(supervisor.keep_house())
    try:
        up = asyncio.create_task(supervisor.up(lambda sentence: tell(said=sentence)))
        stopped = asyncio.create_task(supervisor.stopped.wait())
        await asyncio.wait((up, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not up.done():
            up.cancel()
        await up
        server = await serve(layout.socket, supervisor.answer, FAILURES)
        tell(done=None)
        await stopped
        server.close()
    except asyncio.CancelledError:
        tell(failed="stopped while it was coming up")
    except FAILURES as error:
        tell(failed=str(error))
    finally:
        house.cancel()
        await supervisor.down()


def watch_lifeline(lifeline: int, stopped: asyncio.Event) -> None:
    if os.read(lifeline, 1) != DETACH:
        stopped.set()
    asyncio.get_running_loop().remove_reader(lifeline)


def tell(**line: Any) -> None:
    """To whoever waits for the cluster to come up; nobody may be there any more."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.supervisor", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--lifeline", type=int, required=True, help="the reading end of the starter's pipe")
    given = parser.parse_args()
    asyncio.run(run(Layout(given.directory), given.lifeline))


if __name__ == "__main__":
    main()
