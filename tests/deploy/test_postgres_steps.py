"""What making a ledger ready leaves behind and says where it does not go well."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import psutil
import pytest

from deploy.local.cpu_groups import NoGroups
from deploy.local.postgres import LedgerError, make_ledgers, step
from deploy.local.site import Layout
from deploy.local.supervisor import Supervisor
from deploy.topology import Topology
from tests.servers import eventually

COMMAND = ["/bin/sleep", "86399"]


async def test_what_postgres_refuses_names_the_shard(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make()
    nobody_serves_it = Supervisor(layout, Topology(), NoGroups("not applied"))._fleet.site
    with pytest.raises(LedgerError, match=r"^ledger-1 could not be prepared: connection failed"):
        await make_ledgers(nobody_serves_it)


async def test_a_step_that_is_cancelled_leaves_no_process_running() -> None:
    def running() -> list[psutil.Process]:
        return [child for child in psutil.Process().children() if child.cmdline() == COMMAND]

    making = asyncio.create_task(step("a long step", COMMAND))
    await eventually(lambda: bool(running()), "the step runs")
    making.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await making
    assert running() == []
