"""A campaign on the real cluster: a sealed run, every promise kept, also when Ctrl-C comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deploy.cluster import Cluster
from loadgen.campaign import Campaign
from loadgen.record import Run
from loadgen.run import run_campaign, uninterrupted

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
  duration_s: {duration_s}
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
AGREEMENT = {"lost": 0, "duplicated": 0, "holes": 0, "mismatched": 0, "in_doubt": 0}


def campaign(tmp_path: Path) -> Campaign:
    path = tmp_path / "tiny.yaml"
    path.write_text(CAMPAIGN.format(duration_s=3))
    return Campaign.read(path)


def agreement(run: Run) -> dict[str, int]:
    return {name: run.reconciliation[name] for name in AGREEMENT}


@pytest.mark.slow
def test_a_campaign_becomes_a_sealed_run_in_which_every_promise_was_kept(tmp_path: Path) -> None:
    path = run_campaign(campaign(tmp_path), tmp_path / "runs", tmp_path / "cluster", lambda _: None)
    run = Run.open(path)
    assert (run.status, run.reconciled) == ("complete", True)
    assert {window.name for window in run.windows} == {"gateways=1/1", "gateways=2/1"} == set(run.topologies)
    assert agreement(run) == AGREEMENT
    acknowledged = int((run.acks["outcome"] == "ok").sum())
    assert run.reconciliation["acknowledged"] == acknowledged > 100
    for window in run.windows:
        assert run.throughput(window) > 0
        assert run.latency(window, outcome=None).get_total_count() > 0
        assert run.series("generator_sent_total", window)["value"].max() > 0
        requests = run.series("gateway_request_seconds_count", window)
        assert set(requests["instance"]) == {f"gateway-{n + 1}" for n in range(window.parameters["gateways"])}
        assert run.topologies[window.name]["gateways"]["replicas"] == window.parameters["gateways"]
        assert len(run.noise[run.noise["window"] == window.name]) == 1
    assert set(run.acks["kind"]) == {"new", "cancel"}
    assert run.logs["engine"]["lines"] > 0
    assert {event["kind"] for event in run.events} <= {"repeated", "cut"}  # as a busy machine makes them
    assert not list((tmp_path / "runs").glob(".*"))
    assert not (tmp_path / "cluster" / "state.json").exists()


def test_ctrl_c_is_not_heard_while_a_run_is_sealed_and_is_heard_again_afterwards() -> None:
    with uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
def test_ctrl_c_seals_what_there_is_as_aborted_and_leaves_nothing_running(tmp_path: Path) -> None:
    yaml = tmp_path / "tiny.yaml"
    yaml.write_text(CAMPAIGN.format(duration_s=60))
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
    assert agreement(run) == AGREEMENT
    assert Cluster.attach(tmp_path / "cluster") is None
