"""The commands about boards: lab boards build, push, verify, snapshot, screenshots, quiz."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.console import CLUSTER_DIRECTORY, ROOT, AsJson, Exit, exit_codes, print_json, say

if TYPE_CHECKING:
    from dashboards.push import Step
    from deploy.cluster import Cluster

BUILT = ROOT / ".lab" / "boards"
GRAFANA_URL = "GRAFANA_URL"
VERIFIED_S = 60
PICTURES = ROOT / "docs" / "images" / "boards"
LOADED_S = 25.0
"""Long enough for every signal to have come at least twice."""


def build(
    to: Annotated[Path, typer.Option(help="The folder to write.", show_default=".lab/boards")] = BUILT,
    as_json: AsJson = False,
) -> None:
    """Write every board as Grafana's JSON, and the files that provision a Grafana, the same for every target."""
    from dashboards.grafana import write

    with exit_codes():
        files = write(to)
    say(f"{len(files)} files below {to}")
    if as_json:
        print_json({"files": [str(path) for path in files]})


def push(
    url: Annotated[str, typer.Option(envvar=GRAFANA_URL, help="http://user:password@host:3000; or GRAFANA_TOKEN.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a Grafana to the present boards and the data sources of the running cluster; first says what differs."""
    from deploy.cluster import Cluster, ClusterError

    with exit_codes():
        cluster = Cluster.attach(CLUSTER_DIRECTORY)
        if cluster is None:
            raise ClusterError("no cluster is running, so there is no data source; start one with `lab up`")
        steps = pushed(cluster, url, dry_run)
    if as_json:
        print_json(
            {"steps": [{key: value for key, value in asdict(step).items() if key != "wanted"} for step in steps]}
        )


def pushed(cluster: Cluster, url: str, dry_run: bool = False) -> list[Step]:
    """What was done, or is to be."""
    from dashboards import push as to_grafana

    grafana = to_grafana.client(url)
    loki = f"http://{cluster.address('loki')}" if cluster.topology.observability.loki else ""
    steps = to_grafana.compare(grafana, f"http://{cluster.address('prometheus')}", loki)
    for step in steps:
        if step.what is not to_grafana.What.KEEP:
            say("\n".join([f"{step.what} {step.thing} {step.uid}", *(f"  {line}" for line in step.diff)]))
    if not dry_run:
        to_grafana.apply(grafana, steps)
    changed = sum(step.what is not to_grafana.What.KEEP for step in steps)
    say(f"{changed} of {len(steps)} {'would change' if dry_run else 'changed'} in {to_grafana.without_password(url)}")
    return steps


def announce(cluster: Cluster) -> None:
    """Say where the boards of a cluster that has come up are; a Grafana that GRAFANA_URL names gets them too."""
    if cluster.topology.observability.boards:
        say(f"boards: http://{cluster.address('boards')}/")
        if cluster.grafana:
            say(f"  {cluster.grafana}, user admin, password in {cluster.secrets.grafana_password_file}")
    if url := os.environ.get(GRAFANA_URL):
        pushed(cluster, url)


def verify(as_json: AsJson = False) -> None:
    """Ask every query of every board under load. Exits 3 if one fails, is empty, or has a unit that contradicts it."""
    from dashboards.catalogue import BOARDS
    from dashboards.loaded import loaded_cluster
    from dashboards.queries import Sources, Span
    from dashboards.verify import verify as asked

    with exit_codes(), loaded_cluster(CLUSTER_DIRECTORY, say, LOADED_S) as cluster:
        now = time.time()
        with Sources(cluster.address("prometheus"), cluster.address("loki")) as sources:
            verdict = asked(BOARDS, sources, Span(now - VERIFIED_S, now))
    for failure in verdict.failed:
        say(f"{failure.board}: {failure.panel}: {failure.reason}\n  {failure.query}")
    say(f"{verdict.queries} queries of {verdict.boards} boards, {len(verdict.failed)} failed")
    if as_json:
        print_json(verdict.document())
    if verdict.failed:
        raise typer.Exit(Exit.CHECK_FAILED)


def snapshot(run: Annotated[Path, typer.Argument(help="A sealed run, runs/<id>.")], as_json: AsJson = False) -> None:
    """Draw every board over the window of a sealed run into one self-contained HTML file beside it."""
    from dashboards.sealed import write

    with exit_codes():
        path = write(run)
    say(f"boards: {path}")
    if as_json:
        print_json({"boards": str(path)})


def draw_beside(run: Path) -> None:
    """The boards that the report of a run links to. A machine that cannot draw them has its report all the same."""
    from dashboards.sealed import SnapshotError, write

    try:
        write(run)
    except SnapshotError as error:
        say(f"the boards of the run were not drawn: {error}")


def screenshots(
    to: Annotated[Path, typer.Option(help="The folder to write.", show_default="docs/images/boards")] = PICTURES,
    as_json: AsJson = False,
) -> None:
    """Take small pictures of every board under load, calm and with a fault, with a headless Chromium."""
    from dashboards.photos import portraits

    with exit_codes():
        taken = portraits(CLUSTER_DIRECTORY, to, say)
    say(f"{len(taken)} pictures in {to}")
    if as_json:
        print_json({"pictures": [str(path) for path in taken]})


def quiz(
    to: Annotated[Path, typer.Argument(help="The folder for the pictures.")],
    key: Annotated[Path, typer.Option(help="The file for the answers, apart from the pictures.")],
    seed: Annotated[int, typer.Option(help="Decides the order.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Take ten pictures of the overview, each with a fault: who sees only them must name the component."""
    from dashboards.photos import quiz as asked

    with exit_codes():
        taken = asked(CLUSTER_DIRECTORY, to, key, seed, say)
    say(f"{len(taken)} pictures in {to}, the answers in {key}")
    if as_json:
        print_json({"pictures": [str(path) for path in taken], "key": str(key)})
