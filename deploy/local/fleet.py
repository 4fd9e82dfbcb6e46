"""All processes of one cluster: brought up in the order that their dependencies ask for, renewed, taken down.

Quotas hold from the moment all answer, not before: a gateway that imports its libraries at a fifth of a core would take
most of the time that a renewal may take.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from deploy.local import disk, postgres
from deploy.local.control import Say
from deploy.local.cpu_groups import CpuGroups, Limit
from deploy.local.plan_beside import GROUP, beside_path, targets, targets_file
from deploy.local.plan_path import limit, order_path
from deploy.local.postgres import LedgerError
from deploy.local.process import PartFailed, Process
from deploy.local.readiness import answers
from deploy.local.site import Site, write_whole
from deploy.local.spec import Layer, PartSpec, Ready
from deploy.local.status import ClusterEvent, PartState

COMPLETE_DEADLINE_S = 20.0
POLL_S = 0.02
DOWN_GRACE_S = 1.5
KEPT_GRACE_S = 10.0
RESTART_GRACE_S = 10.0
GENERATOR = "generator"
NEEDED_TO_THE_END = ("engine", "ledger", "redis", "collector")


class Fleet:
    def __init__(self, site: Site, groups: CpuGroups, report: Callable[[ClusterEvent], None]) -> None:
        self.site = site
        self.processes: dict[str, Process] = {}
        self._groups, self._report = groups, report

    async def up(self, say: Say) -> None:
        """Everything, as parallel as it may be. Raises PartFailed."""
        write_whole(targets_file(self.site), targets(self.site))
        self._make_groups()
        specs = {spec.name: spec for spec in (*order_path(self.site), *beside_path(self.site))}
        disk.mend(specs.values())
        with _failing_as_one():
            async with asyncio.TaskGroup() as tasks:
                for spec in specs.values():
                    if spec.layer is Layer.BESIDE:
                        tasks.create_task(self._start(spec, say))
                tasks.create_task(self._up_path(specs, say))
        self._apply_quotas()

    async def renew(self, site: Site, say: Say) -> None:
        """The order path of another topology, empty. What is beside it goes on, as do servers that stay the same."""
        write_whole(targets_file(site), targets(site))  # first: Prometheus takes seconds to follow
        ended, self.site = self.site, site
        specs = {spec.name: spec for spec in (*order_path(site), *beside_path(site))}
        gone = [process for process in self.processes.values() if not _goes_on(process, specs)]
        await asyncio.gather(*(_end_for_renewal(process) for process in gone))
        for process in gone:
            del self.processes[process.spec.name]
            self._groups.remove(process.spec.cpu_group)  # its next self may be unbounded, and then is in no group
        self._groups.remove(GENERATOR)
        await asyncio.to_thread(shutil.rmtree, ended.journal, ignore_errors=True)
        self._make_groups()
        disk.mend(specs.values())
        with _failing_as_one():
            await self._up_path(specs, say)
        self._apply_quotas()

    async def restart(self, component: str, say: Say) -> None:
        """All parts of a component (or the part of this name), each once HAProxy sees every gateway again."""
        for process in [p for p in self.processes.values() if component in (p.spec.component, p.spec.name)]:
            began = time.monotonic()
            await process.restart(RESTART_GRACE_S)
            await self._until_complete()
            say(f"{process.spec.name} is back after {time.monotonic() - began:.1f} s")

    async def down(self) -> None:
        """What gateways need to answer the orders in flight comes last."""
        first = [process for process in self.processes.values() if process.spec.component not in NEEDED_TO_THE_END]
        await asyncio.gather(*(process.stop(DOWN_GRACE_S) for process in first))
        await asyncio.gather(*(process.stop(DOWN_GRACE_S) for process in self.processes.values()))

    async def _up_path(self, specs: dict[str, PartSpec], say: Say) -> None:
        """The ledgers' servers, then all else while the ledgers are made anew: gateways take longer to start than that.

        At the end HAProxy has to see every gateway ready.
        """
        fresh = [shard for shard in self.site.shards if not self._data(shard).exists()]
        async with asyncio.TaskGroup() as tasks:
            for shard in self.site.shards:
                if f"ledger-{shard}" not in self.processes:
                    tasks.create_task(self._up_ledger(specs[f"ledger-{shard}"], shard, shard in fresh, say))
        if fresh:
            await postgres.prepare(self.site, fresh)
        await postgres.drop_ledgers(self.site)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(postgres.make_ledgers(self.site))
            for spec in specs.values():
                if spec.name not in self.processes and spec.layer is not Layer.BESIDE:
                    tasks.create_task(self._start(spec, say))
        await self._until_complete()

    def _data(self, shard: int) -> Path:
        return self.site.layout.data / f"ledger-{shard}"

    async def _up_ledger(self, spec: PartSpec, shard: int, is_fresh: bool, say: Say) -> None:
        if is_fresh:
            await postgres.make_data_directory(self.site, shard)
        await self._start(spec, say)

    async def _start(self, spec: PartSpec, say: Say) -> None:
        started = time.monotonic()
        process = Process(spec, self.site.layout.log(spec.name), self._groups, self._report)
        self.processes[spec.name] = process
        await process.start()
        say(f"{spec.name} answers on {spec.address} after {time.monotonic() - started:.1f} s")

    async def _until_complete(self) -> None:
        port = self.site.ports["haproxy-metrics"]
        deadline = time.monotonic() + COMPLETE_DEADLINE_S
        while not await answers(Ready(port, "/complete")):
            if time.monotonic() > deadline:
                raise PartFailed(
                    f"haproxy does not see every gateway ready after {COMPLETE_DEADLINE_S:g} s; read its log"
                )
            await asyncio.sleep(POLL_S)

    def _make_groups(self) -> None:
        """All groups of the plan, with quotas lifted for the start."""
        for path, bound in self._limits().items():
            self._groups.make(path, bound)
            self._groups.set_quota(path, None)

    def _apply_quotas(self) -> None:
        """Those of the topology, also for a part that goes on and was bounded otherwise meanwhile."""
        for path, bound in self._limits().items():
            self._groups.set_quota(path, bound.cores)
        for process in self.processes.values():
            process.cpu_quota_cores = process.spec.limit.cores

    def _limits(self) -> dict[str, Limit]:
        topology = self.site.topology
        shared = {
            GROUP: limit(topology.observability),
            GENERATOR: replace(limit(topology.generator), is_real_time=True),
        }
        return shared | {spec.cpu_group: spec.limit for spec in (*order_path(self.site), *beside_path(self.site))}


def _goes_on(process: Process, specs: dict[str, PartSpec]) -> bool:
    """Whether a renewal leaves the process alone."""
    spec = process.spec
    is_unchanged = specs.get(spec.name) == spec and process.state is PartState.UP
    return spec.layer is Layer.BESIDE or (spec.layer is Layer.KEPT and is_unchanged)


async def _end_for_renewal(process: Process) -> None:
    """What only held the old path's state need not put it in order first."""
    await process.stop(KEPT_GRACE_S if process.spec.layer is Layer.KEPT else 0.0)


@contextlib.contextmanager
def _failing_as_one() -> Iterator[None]:
    """What failed in any of the tasks as one PartFailed; other errors are mistakes of the lab and stay as they are."""
    try:
        yield
    except BaseExceptionGroup as errors:
        if errors.split((PartFailed, LedgerError, OSError))[1] is not None:
            raise
        raise PartFailed("\n".join(_sentences(errors))) from errors


def _sentences(errors: BaseExceptionGroup[BaseException]) -> Iterator[str]:
    for error in errors.exceptions:
        yield from _sentences(error) if isinstance(error, BaseExceptionGroup) else (str(error),)
