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
from loadgen.record import Run
from loadgen.run import uninterrupted

ROOT = Path(__file__).parents[2]
CAMPAIGN = """\
name: tiny
title: A cluster loaded for a moment
topology: local
sweep:
  gateways: [1, 2]
load:
  users: 10
  think_time_s: 0.01
  warm_up_s: 1
  duration_s: 60
seed: 5
"""
PROGRAM = """\
import sys
from pathlib import Path
from loadgen.campaign import Campaign
from loadgen.run import run_campaign

campaign, runs, cluster = (Path(argument) for argument in sys.argv[1:])
print("sealed", run_campaign(Campaign.read(campaign), runs, cluster, lambda line: print(line, flush=True)))
"""


def test_ctrl_c_is_not_heard_while_a_run_is_sealed_and_is_heard_again_afterwards() -> None:
    with uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
def test_ctrl_c_seals_what_there_is_as_aborted_and_leaves_nothing_running(tmp_path: Path) -> None:
    yaml = tmp_path / "tiny.yaml"
    yaml.write_text(CAMPAIGN)
    lab = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(yaml), str(tmp_path / "runs"), str(tmp_path / "cluster")],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    guard = threading.Timer(90, lab.kill)
    guard.start()
    said = []
    assert lab.stdout is not None
    for line in lab.stdout:
        said.append(line.strip())
        if "measuring" in line and len([one for one in said if "measuring" in one]) == 1:
            os.kill(lab.pid, signal.SIGINT)
    guard.cancel()
    assert lab.wait(10) == 0, said
    run = Run.open(said[-1].removeprefix("sealed "))
    assert run.status == "aborted"
    assert len(run.windows) == 1
    assert 1 < run.windows[0].duration_s < 60
    assert run.reconciled
    assert Cluster.attach(tmp_path / "cluster") is None
