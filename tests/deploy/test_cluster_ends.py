"""However a cluster ends, nothing of it is left: no process, no port, no CPU group, no file but the logs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.cluster import Cluster, ClusterError, EventKind, PartState, take_down
from deploy.local.site import Layout
from deploy.local.traces import note
from deploy.topology import Restarts
from tests.deploy.live import SMALL, Footprint, until

pytestmark = pytest.mark.slow

STARTER = """
import sys, time
from pathlib import Path
from deploy.cluster import Cluster
from deploy.topology import Topology
with Cluster.up(Topology.model_validate_json(sys.argv[2]), Path(sys.argv[1]), say=print):
    print("up", flush=True)
    time.sleep(600)
"""


def start(directory: Path) -> subprocess.Popen[str]:
    """A process of its own that brings a cluster up and then waits."""
    command = [sys.executable, "-u", "-c", STARTER, str(directory), SMALL.model_dump_json()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def until_says(starter: subprocess.Popen[str], word: str) -> None:
    assert starter.stdout is not None
    said = []
    for line in starter.stdout:
        said.append(line)
        if line.startswith(word):
            return
    pytest.fail("".join(said))


def footprint(directory: Path) -> Footprint:
    cluster = Cluster.attach(directory)
    assert cluster is not None
    return Footprint.of(cluster)


def test_leaving_the_block_leaves_nothing(directory: Path) -> None:
    with Cluster.up(SMALL, directory) as cluster:
        held = Footprint.of(cluster)
        assert len(held.left()) > len(held.processes)
    assert held.left() == []
    assert held.files() == ["logs"]
    assert Cluster.attach(directory) is None
    assert take_down(directory) is False


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "ctrl-c"])
def test_the_end_of_the_starter_leaves_nothing(directory: Path, signum: signal.Signals) -> None:
    starter = start(directory)
    until_says(starter, "up")
    held = footprint(directory)
    starter.send_signal(signum)
    starter.wait()
    until(lambda: held.left() == [] and held.files() == ["logs"], "everything is gone")


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "ctrl-c"])
def test_the_end_of_the_starter_while_it_starts_leaves_nothing(directory: Path, signum: signal.Signals) -> None:
    starter = start(directory)
    until_says(starter, "ledger-1 answers")
    held = Footprint(directory)
    assert held.left()
    starter.send_signal(signum)
    starter.wait()
    until(lambda: held.left() == [] and held.files() == ["logs"], "everything is gone")


def test_kill_9_of_the_supervisor_leaves_no_process_and_the_rest_is_cleaned_by_take_down(directory: Path) -> None:
    cluster = Cluster.up(SMALL, directory, detach=True)
    held = Footprint.of(cluster)
    os.kill(cluster._supervisor_pid, signal.SIGKILL)
    until(lambda: not [left for left in held.left() if not left.startswith("group")], "processes and ports are gone")
    assert Cluster.attach(directory) is None
    assert take_down(directory) is True
    assert (held.left(), held.files()) == ([], ["logs"])


def test_a_crashed_cluster_does_not_stand_in_the_way_of_the_next(directory: Path) -> None:
    crashed = Cluster.up(SMALL, directory, detach=True)
    os.kill(crashed._supervisor_pid, signal.SIGKILL)
    with Cluster.up(SMALL, directory) as cluster:
        assert {part.state for part in cluster.parts()} == {PartState.UP}


@pytest.mark.parametrize("is_the_same", [True, False], ids=["left over", "another with its pid"])
def test_take_down_ends_what_was_noted_and_never_another_process_with_its_pid(
    directory: Path, is_the_same: bool
) -> None:
    layout = Layout(directory)
    layout.make()
    process = subprocess.Popen(["sleep", "600"])
    try:
        note(layout, os.getpid(), {"engine": process.pid}, {})
        if not is_the_same:
            layout.state.write_text(layout.state.read_text().replace('"start_ticks": ', '"start_ticks": 1'))
        assert take_down(directory) is True
        assert (process.poll() is not None) == is_the_same
    finally:
        process.kill()
        process.wait()


def test_a_detached_cluster_outlives_its_starter_until_it_is_taken_down(directory: Path) -> None:
    command = STARTER.replace("with Cluster.up(", "if Cluster.up(").replace("say=print", "detach=True")
    command = command.replace("    time.sleep(600)\n", "")
    arguments = [sys.executable, "-c", command, str(directory), SMALL.model_dump_json()]
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    held = footprint(directory)
    assert take_down(directory) is True
    assert held.left() == []


def test_two_clusters_run_side_by_side(directory: Path, tmp_path: Path) -> None:
    with Cluster.up(SMALL, directory) as one, Cluster.up(SMALL, tmp_path / "other") as other:
        assert not set(Footprint.of(one).ports) & set(Footprint.of(other).ports)
        other.down()
        assert {part.state for part in one.parts()} == {PartState.UP}


def test_a_crash_loop_is_given_up_and_said(directory: Path) -> None:
    engine = SMALL.engine.model_copy(update={"restarts": Restarts(restarts_max=1, backoff_first_s=0.0)})
    with Cluster.up(SMALL.model_copy(update={"engine": engine}), directory) as cluster:
        cluster.signal("engine", signal.SIGKILL)
        once = [EventKind.DIED, EventKind.RESTARTED]
        until(lambda: kinds(cluster, "engine") == once, "it is restarted once")
        cluster.signal("engine", signal.SIGKILL)
        until(lambda: kinds(cluster, "engine") == [*once, EventKind.DIED, EventKind.GIVEN_UP], "it is given up")
        assert state_of(cluster, "engine") is PartState.GIVEN_UP
        said = next(part.said for part in cluster.parts() if part.name == "engine")
        assert said == "given_up: died more than 1 times within 60 s, last: killed by SIGKILL"
        with pytest.raises(ClusterError, match="engine does not run"):
            cluster.signal("engine", signal.SIGKILL)


def test_a_part_that_cannot_start_is_named_with_the_end_of_its_log_and_nothing_is_left(directory: Path) -> None:
    with pytest.raises(ClusterError, match="ledger-1 ended with exit 1 while starting") as caught:
        Cluster.up(SMALL.with_overrides({"ledger.settings.shared_preload_libraries": "nonsense"}), directory)
    assert 'could not access file "nonsense"' in str(caught.value)
    assert (Footprint(directory).left(), Footprint(directory).files()) == ([], ["logs"])


def test_a_fixed_port_that_another_holds_is_said_before_anything_starts(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(ClusterError, match=rf"ports.haproxy: {port} is in use on this machine"):
            Cluster.up(SMALL.with_overrides({"ports.haproxy": port}), directory)
    assert Footprint(directory).left() == []


def state_of(cluster: Cluster, name: str) -> PartState:
    return next(part.state for part in cluster.parts() if part.name == name)


def kinds(cluster: Cluster, name: str) -> list[EventKind]:
    return [event.kind for event in cluster.events() if event.part == name]
