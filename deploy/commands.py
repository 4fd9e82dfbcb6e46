"""The commands that need a cluster or an engine and no load: lab doctor, up, down, status, bench engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from deploy.console import CLUSTER_DIRECTORY, ROOT, AsJson, Exit, exit_codes, people, print_figures, print_json, say

if TYPE_CHECKING:
    from deploy.cluster import Cluster

LOCAL_TOPOLOGY = ROOT / "deploy" / "topologies" / "local.yaml"


def doctor(as_json: AsJson = False) -> None:
    """Say what this machine lacks for the lab, and the one line that installs it. Exits 3 if it needs something."""
    from deploy.bootstrap import checks

    found = checks()
    table = Table("", "part", "found", box=None)
    for check in found:
        mark = "ok" if check.ok else "missing" if check.needed else "without"
        table.add_row(mark, check.name, check.found)
    people.print(table)
    for to_do in dict.fromkeys(check.to_do for check in found if check.to_do):
        say(f"to do: {to_do}")
    if as_json:
        print_json(
            [{"name": c.name, "ok": c.ok, "needed": c.needed, "found": c.found, "to_do": c.to_do} for c in found]
        )
    if any(check.needed and not check.ok for check in found):
        raise typer.Exit(Exit.CHECK_FAILED)


TopologyFile = Annotated[Path, typer.Argument(help="A topology file.", show_default="deploy/topologies/local.yaml")]


def start(topology: Path) -> Cluster:
    """A cluster that outlives this command."""
    from deploy.cluster import Cluster
    from deploy.topology import Topology

    return Cluster.up(Topology.load(topology), CLUSTER_DIRECTORY, detach=True, say=say)


def down(as_json: AsJson = False) -> None:
    """Stop the cluster of this checkout, also one whose starter died, and remove what it left."""
    from deploy.cluster import take_down

    with exit_codes():
        stopped = take_down(CLUSTER_DIRECTORY)
    people.print("stopped" if stopped else "no cluster was running")
    if as_json:
        print_json({"stopped": stopped})


def restart(
    component: Annotated[
        str, typer.Argument(help="gateway, engine, redis ...: as `lab status` lists them.")
    ] = "gateway",
) -> None:
    """Restart a component of the running cluster part by part; of two or more gateways no client notices."""
    from deploy.cluster import Cluster, ClusterError

    with exit_codes():
        cluster = Cluster.attach(CLUSTER_DIRECTORY)
        if cluster is None:
            raise ClusterError("no cluster runs here; lab up starts one")
        cluster.restart(component, say)


def status(as_json: AsJson = False) -> None:
    """Show each part of the running cluster: state, address, pid, CPU, memory. Exits 3 if one is not up."""
    from deploy.cluster import Cluster

    with exit_codes():
        cluster = Cluster.attach(CLUSTER_DIRECTORY)
        parts = cluster.parts() if cluster else []
    table = Table("component", "state", "address", "pid", "CPU s", "of cores", "MB", "restarts", "said", box=None)
    for part in parts:
        quota = "" if part.cpu_quota_cores is None else f"{part.cpu_quota_cores:g}"
        figures = (f"{part.cpu_seconds:.1f}", quota, f"{part.memory_bytes / 1e6:.0f}", str(part.restarts))
        table.add_row(part.name, part.state, part.address, str(part.pid or ""), *figures, part.said)
    people.print(table if cluster else "no cluster is running; start one with `lab up`")
    if as_json:
        print_json({"up": cluster is not None, "parts": parts})
    if not cluster or any(part.state != "up" for part in parts):
        raise typer.Exit(Exit.CHECK_FAILED)


def bench_engine(
    events: Annotated[int, typer.Option(min=1, help="Events of the reference flow.")] = 2_000_000,
    id_index: Annotated[str, typer.Option(help="dense or hash: how the engine finds an order by its id.")] = "dense",
    as_json: AsJson = False,
) -> None:
    """The matching engine against a naive one, on the reference flow, interleaved in one process."""
    from deploy.install.engine import measured_by

    with exit_codes():
        figures = measured_by("engine-bench", ["--events", str(events), "--id-index", id_index])
    print_figures(figures, as_json)
