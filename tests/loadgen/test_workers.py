"""Several generator processes load as one would; one that is lost makes the run invalid, not smaller."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import msgspec
import numpy as np
import psutil

from loadgen.arrivals import parsed, schedule
from loadgen.assignment import Ended, Second, Started
from loadgen.crew import Crew, Share, pack
from loadgen.generator import Generator
from loadgen.latency import read_receipts
from tests.loadgen.exchange import Exchange
from tests.loadgen.test_open_loop import OPEN
from tests.loadgen.test_users import load

TWO = msgspec.structs.replace(OPEN, workers=2)


def test_two_workers_send_the_schedule_that_one_would_and_their_receipts_are_all_there(tmp_path: Path) -> None:
    with Exchange() as server:
        loaded = load(tmp_path, msgspec.structs.replace(TWO, port=server.port))
        keys = {one.body.get("client_order_id", one.path) for one in server.asked}
    assert loaded.outcomes() == {"ok": 400}
    assert len(keys) == 400
    kind = parsed(OPEN.arrivals or {})
    started = next(report for report in loaded.reports if isinstance(report, Started))
    wanted = np.concatenate(list(schedule(kind, OPEN.seed, OPEN.warm_up_s, OPEN.duration_s))) + started.started_ns
    assert np.abs(np.sort(loaded.receipts["intended_ns"]) - wanted).max() < 1_000_000
    seconds = [report for report in loaded.reports if isinstance(report, Second)]
    assert sum(second.sent for second in seconds) == sum(second.offered for second in seconds) == 400
    assert max(second.workers_lost for second in seconds) == 0


def test_workers_that_are_stopped_still_say_what_they_sent(tmp_path: Path) -> None:
    told = msgspec.structs.replace(TWO, duration_s=30.0)
    with Exchange() as server:
        loaded = load(tmp_path, msgspec.structs.replace(told, port=server.port), stop_after=3)
        asked = len(server.asked)
    assert 0 < len(loaded.receipts) == asked
    ended = loaded.reports[-1]
    assert isinstance(ended, Ended)
    assert not ended.is_whole


def test_a_worker_that_ends_without_a_farewell_is_lost_however_late_that_is(tmp_path: Path) -> None:
    crew = Crew(["a", "b"], ["a", "b"])
    crew.heard("a", pack(Share(None, b"")))
    _, second = crew.take(0, [0.0])
    assert second.workers_lost == 0
    _, last = crew.take(0, [0.0], is_last=True)
    assert last.workers_lost == 1


def test_a_worker_that_is_killed_is_counted_as_lost(tmp_path: Path) -> None:
    told = msgspec.structs.replace(TWO, receipts=str(tmp_path / "receipts"), duration_s=4.0)
    pids: list[int] = []
    lost, ended = [], []
    with (
        Exchange() as server,
        Generator(msgspec.structs.replace(told, port=server.port), pids.append, tmp_path / "log") as generator,
    ):
        for report in generator:
            if isinstance(report, Started):
                os.kill(psutil.Process(pids[0]).children()[0].pid, signal.SIGKILL)
            if isinstance(report, Second):
                lost.append(report.workers_lost)
            if isinstance(report, Ended):
                ended.append(report)
    assert (max(lost), len(ended)) == (1, 1)
    assert 0 < len(read_receipts(tmp_path / "receipts")) < 600
