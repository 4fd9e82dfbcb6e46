"""A power cut of the whole pipeline under load: nothing that a client was told is gone, unless a disk lies.

All processes end in the same moment, then every byte goes that Postgres and the engine had not synced, then the
supervisor, which stood still meanwhile, starts them again. The settler comes back only when it is asked to: before that
the ledger must hold every acknowledged order by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pyarrow as pa
import pytest

from deploy.cluster import Cluster, PartState
from deploy.faults.fault import heal
from deploy.topology import Topology
from loadgen.latency import acknowledgements, read_receipts
from loadgen.reconcile import reconcile_window
from loadgen.siege import Siege, stubborn_topology
from tests.deploy.live import until
from tests.power_cut import shim

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

ORDERS_MIN = 300
BROKEN = ("lost", "duplicated", "holes", "mismatched", "in_doubt")
ALL_BUT_SETTLER = ("gateways", "ledger", "engine", "redis", "haproxy", "market_data", "history")
RESTART_AFTER_S = dict.fromkeys(ALL_BUT_SETTLER, 2.0) | {"settler": 100.0}
"""Once the load has ended, as a rule."""


@dataclass
class Pipeline:
    """A live cluster whose ledger and engine keep undo logs, by which what they did not sync can be taken back."""

    siege: Siege
    topology: Topology
    undo: dict[str, Path]

    @property
    def cluster(self) -> Cluster:
        return self.siege.cluster

    def acknowledged_until_the_cut(self, name: str, liar: str | None) -> pa.Table:
        self.cluster.renew(self.topology)
        receipts = self.siege.scratch / "receipts"
        with self.siege.loaded(name, receipts):
            until(lambda: len(self.in_ledger()) > ORDERS_MIN, "orders are taken")
            if liar:
                shim.begin_lying(self.undo[liar])
                honest = len(self.in_ledger())
                until(lambda: len(self.in_ledger()) > honest + ORDERS_MIN, "orders are taken by a disk that lies")
            killed = self.cut()
        for undo in self.undo.values():
            shim.end_lying(undo)
        until(lambda: self.can_be_read(killed), "ledger and engine are back")
        return acknowledgements(name, name, read_receipts(receipts))

    def can_be_read(self, killed: set[int]) -> bool:
        """Gateways may wait for the settler: they take orders once the ledger has what the engine gave."""
        back = {part.name for part in self.cluster.parts() if part.state is PartState.UP and part.pid not in killed}
        return {"ledger-1", "engine"} <= back

    def cut(self) -> set[int]:
        """The pids of what was killed: at first the supervisor takes it for alive."""
        parts = [psutil.Process(part.pid) for part in self.cluster.parts()]
        supervisor = parts[0].parent()
        assert supervisor is not None
        supervisor.suspend()  # or a part may be back before the cut is done
        try:
            family = [process for part in parts for process in (part, *part.children(recursive=True))]
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):  # a child that just ended by itself
                    process.kill()
            until(lambda: all(has_ended(process) for process in family), "all processes are gone")
            data = self.cluster.directory / "data"
            taken_back = {name: shim.cut(data, undo) for name, undo in self.undo.items()}
            (data / "ledger-1/postmaster.pid").unlink(missing_ok=True)
        finally:
            supervisor.resume()
        assert taken_back["ledger"], "nothing was unsynced: there was no load"
        return {process.pid for process in family}

    def in_ledger(self) -> set[int]:
        with psycopg.connect(self.cluster.secrets.ledger_dsns[0]) as connection:
            return {row[0] for row in connection.execute("SELECT sequence FROM commands")}

    def promises(self, acks: pa.Table) -> dict[str, Any]:
        self.cluster.restart("settler")
        heal(self.cluster)
        return reconcile_window(self.cluster, acks, self.siege.scratch)


def has_ended(process: psutil.Process) -> bool:
    """With all its threads; a parent that stands still does not bury it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() == 1
    return True


@pytest.fixture(scope="module")
def pipeline(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    folder = tmp_path_factory.mktemp("power")
    data = folder / "cluster/data"
    undo = {"ledger": folder / "undo-ledger", "engine": folder / "undo-engine"}
    roots = {"ledger": data / "ledger-1", "engine": data / "journal"}
    overrides: dict[str, Any] = {
        f"{part}.environment": shim.environment(library, roots[part], undo[part]) for part in undo
    }
    for part, pause_s in RESTART_AFTER_S.items():
        overrides |= {f"{part}.restarts.backoff_first_s": pause_s, f"{part}.restarts.backoff_max_s": pause_s}
    topology = stubborn_topology().path_alone().with_overrides(overrides)
    with Cluster.up(topology, folder / "cluster") as cluster:
        yield Pipeline(Siege(cluster, folder), topology, undo)


def missing(acks: pa.Table, ledger: set[int]) -> int:
    told = [row["sequence"] for row in acks.to_pylist() if row["outcome"] == "ok"]
    assert len(told) > ORDERS_MIN / 2
    return len(set(told) - ledger)


def test_a_power_cut_loses_nothing_that_was_acknowledged(pipeline: Pipeline) -> None:
    acks = pipeline.acknowledged_until_the_cut("honest", None)
    assert missing(acks, pipeline.in_ledger()) == 0
    found = pipeline.promises(acks)
    assert found["differences"] == []
    assert {name: found[name] for name in BROKEN} == dict.fromkeys(BROKEN, 0)


def test_a_ledger_whose_disk_lies_loses_orders_and_gets_them_back_from_the_journal(pipeline: Pipeline) -> None:
    acks = pipeline.acknowledged_until_the_cut("ledger-lies", "ledger")
    assert missing(acks, pipeline.in_ledger()) > 0
    found = pipeline.promises(acks)
    assert found["differences"] == []


def test_an_engine_whose_disk_lies_is_seen_to_break_promises(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadgen.reconcile.SETTLE_DEADLINE_S", 3.0)  # it never settles, and all of it would be waited
    acks = pipeline.acknowledged_until_the_cut("engine-lies", "engine")
    assert missing(acks, pipeline.in_ledger()) == 0
    found = pipeline.promises(acks)
    assert found["lost"] + found["mismatched"] + found["in_doubt"] > 0
