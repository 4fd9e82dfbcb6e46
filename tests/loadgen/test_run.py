"""Ctrl-C in a campaign: what there is, is sealed as aborted, nothing goes on. Whole runs: test_shipped_campaigns."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deploy.cluster import Cluster
from loadgen.ctrl_c import ALL, FIRST, NONE, CtrlC
from loadgen.record import Run

ROOT = Path(__file__).parents[2]
CAMPAIGN = """\
name: {name}
title: A cluster loaded for a moment
topology: local
sweep:
  gateways: [1, 2]
load:
  users: 10
  think_time_s: 0.01
  warm_up_s: 1
  duration_s: {duration_s}
seed: 5
"""
PROGRAM = """\
import sys
from pathlib import Path
from loadgen.campaign import Campaign
from loadgen.run import cluster_for, run_campaign

say = lambda line: print(line, flush=True)
runs, cluster, *paths = (Path(argument) for argument in sys.argv[1:])
campaigns = [Campaign.read(path) for path in paths]
with cluster_for(campaigns[0].plan()[0].topology, cluster, say):
    for campaign in campaigns:
        say(f"sealed {run_campaign(campaign, runs, cluster, say)}")
"""
STOPPED_AT = {"measuring": 60, "collecting": 1}
"""What a campaign is at when Ctrl-C comes, in its own words → how long its windows are to be measured (s)."""


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_is_raised_at_once_or_the_first_or_each_is_only_counted() -> None:
    with CtrlC() as ctrl_c:
        ctrl_c.spare(FIRST)
        press()
        assert ctrl_c.came == 1
        with pytest.raises(KeyboardInterrupt):
            press()
        ctrl_c.spare(ALL)
        press()
        assert ctrl_c.came == 3
    with CtrlC(), pytest.raises(KeyboardInterrupt):
        press()
    with pytest.raises(KeyboardInterrupt):
        press()


def test_a_ctrl_c_that_was_spared_is_raised_where_none_is_spared_any_more() -> None:
    with CtrlC() as ctrl_c:
        ctrl_c.spare(ALL)
        press()
        with pytest.raises(KeyboardInterrupt):
            ctrl_c.spare(NONE)


@pytest.mark.slow
def test_ctrl_c_while_measuring_or_collecting_seals_what_there_is_as_aborted_and_leaves_nothing_running(
    tmp_path: Path,
) -> None:
    for name, duration_s in STOPPED_AT.items():
        (tmp_path / name).write_text(CAMPAIGN.format(name=name, duration_s=duration_s))
    lab = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *(str(tmp_path / name) for name in ("runs", "cluster", *STOPPED_AT))],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    guard = threading.Timer(200, lab.kill)
    guard.start()
    said, sealed, stops = [], [], iter(STOPPED_AT)
    stop_at = next(stops)
    assert lab.stdout is not None
    for line in lab.stdout:
        said.append(line.strip())
        if stop_at and stop_at in line:
            stop_at = ""
            os.kill(lab.pid, signal.SIGINT)
        if line.startswith("sealed "):
            stop_at = next(stops, "")
            sealed.append(line.strip().removeprefix("sealed "))
    guard.cancel()
    assert lab.wait(10) == 0, said
    cut, whole = (Run.open(path) for path in sealed)
    assert [(run.status, len(run.windows), run.reconciled) for run in (cut, whole)] == [("aborted", 1, True)] * 2
    assert 1 < cut.windows[0].duration_s < 60
    assert set(whole.acks["window"]) == {whole.windows[0].name} == set(whole.reconciliation["windows"])
    assert Cluster.attach(tmp_path / "cluster") is None
