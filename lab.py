"""The front door: reads the command line, calls the rooms, prints. Thin: nothing is decided here.

Exit codes: 0 pass, 1 internal error, 2 bad input, 3 a gate or check failed, 4 invalid run.
With --json a command prints exactly one JSON document on standard output; all that is meant for people goes to
standard error. The rooms are imported inside the commands: pandas and locust take a second each to load.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, cast

import orjson
import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from typer.core import TyperGroup

    from loadgen.record import Run

ROOT = Path(__file__).resolve().parent
CLUSTER_DIRECTORY = ROOT / ".lab" / "cluster"
RUNS_DIRECTORY = ROOT / "runs"
QUICK_CAMPAIGN = ROOT / "loadgen" / "campaigns" / "quick.yaml"
LOCAL_TOPOLOGY = ROOT / "deploy" / "topologies" / "local.yaml"

app = typer.Typer(
    help="An observability and performance lab for trading clusters.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
bench = typer.Typer(help="Measure a part alone; figures of one run are compared as ratios.", no_args_is_help=True)
app.add_typer(bench, name="bench")
people = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Short = Annotated[
    bool, typer.Option("--short", help="The campaign's smaller setting, as continuous integration runs it.")
]


class Exit(IntEnum):
    PASS = 0
    INTERNAL = 1
    BAD_INPUT = 2
    CHECK_FAILED = 3
    INVALID_RUN = 4


@app.command()
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


@app.command()
def up(
    topology: Annotated[
        Path, typer.Argument(help="A topology file.", show_default="deploy/topologies/local.yaml")
    ] = LOCAL_TOPOLOGY,
    as_json: AsJson = False,
) -> None:
    """Start a cluster and leave it running until `lab down`."""
    from deploy.cluster import Cluster
    from deploy.topology import Topology

    with exit_codes():
        Cluster.up(Topology.load(topology), CLUSTER_DIRECTORY, detach=True, say=say)
    status(as_json)


@app.command()
def down(as_json: AsJson = False) -> None:
    """Stop the cluster of this checkout, also one whose starter died, and remove what it left."""
    from deploy.cluster import take_down

    with exit_codes():
        stopped = take_down(CLUSTER_DIRECTORY)
    people.print("stopped" if stopped else "no cluster was running")
    if as_json:
        print_json({"stopped": stopped})


@app.command()
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


@app.command()
def run(
    campaign: Annotated[Path, typer.Argument(help="A campaign file, e.g. loadgen/campaigns/quick.yaml.")],
    short: Short = False,
    as_json: AsJson = False,
) -> None:
    """Run a campaign to a sealed run and its report. Exits 3 if the reconciliation fails, 4 if the run is invalid."""
    finished, lines = run_and_report(campaign, short)
    for line in lines:
        say(line)
    if as_json:
        print_json(document(finished))
    raise typer.Exit(exit_code(finished))


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A sealed run, runs/<id>.")],
    as_json: AsJson = False,
) -> None:
    """Write the report of a sealed run again: HTML and JSON beside the run."""
    from loadgen.record import Run
    from reports.report import write

    with exit_codes():
        opened = Run.open(run)
        path = write(run)
    people.print(f"report: {path}")
    if as_json:
        print_json({**document(opened), "report": str(path)})
    raise typer.Exit(exit_code(opened))


@app.command()
def torture(
    cycles: Annotated[int, typer.Option(min=1, help="How many times to strike.")] = 20,
    seed: Annotated[int, typer.Option(help="Decides who is struck, how and when.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Kill and freeze parts of the order path under load, and count lost orders. Exits 3 if a promise was broken."""
    from loadgen.torture import torture as strike

    with exit_codes(), TemporaryDirectory() as scratch:
        outcome = strike(cycles, seed, CLUSTER_DIRECTORY, Path(scratch), say)
    say("every promise was kept" if outcome.kept else "\n".join(outcome.differences))
    if as_json:
        print_json(outcome.document())
    if not outcome.kept:
        raise typer.Exit(Exit.CHECK_FAILED)


@bench.command("engine")
def bench_engine(
    events: Annotated[int, typer.Option(min=1, help="Events of the reference flow.")] = 2_000_000,
    id_index: Annotated[str, typer.Option(help="dense or hash: how the engine finds an order by its id.")] = "dense",
    as_json: AsJson = False,
) -> None:
    """The matching engine against a naive one, on the reference flow, interleaved in one process."""
    report_bench("engine-bench", ["--events", str(events), "--id-index", id_index], as_json)


@bench.command("engine-grpc")
def bench_engine_grpc(
    orders: Annotated[int, typer.Option(min=1, help="Orders to stream.")] = 2_000_000,
    as_json: AsJson = False,
) -> None:
    """The engine over gRPC on loopback: unary, and a stream of batches, with the journal in memory and on disk."""
    report_bench("engine-grpc-bench", ["--orders", str(orders)], as_json)


def report_bench(program: str, arguments: list[str], as_json: bool) -> None:
    from deploy.install.engine import EngineProgramError, measured_by

    try:
        figures = measured_by(program, arguments)
    except EngineProgramError as error:
        say(str(error), style="red")
        raise typer.Exit(Exit.BAD_INPUT) from error
    for name, figure in figures.items():
        say(f"{name:32} {figure}")
    if as_json:
        print_json(figures)


@app.command()
def demo() -> None:
    """Run the quick campaign from nothing to its report, and end with five lines."""
    finished, lines = run_and_report(QUICK_CAMPAIGN, short=False)
    print("\n".join(lines))
    raise typer.Exit(exit_code(finished))


@app.command()
def reference() -> None:
    """Print the reference of all commands, as in docs/reference/commands.md."""
    print(command_reference(), end="")


def run_and_report(campaign: Path, short: bool) -> tuple[Run, list[str]]:
    """The sealed run, and the lines that close it for people."""
    from analysis.bottleneck import verdict
    from loadgen.campaign import Campaign
    from loadgen.record import Run
    from loadgen.run import run_campaign
    from reports.closing import closing_lines
    from reports.report import write

    with exit_codes():
        path = run_campaign(Campaign.read(campaign, short), RUNS_DIRECTORY, CLUSTER_DIRECTORY, say)
        finished = Run.open(path)
        page = write(path)
    return finished, closing_lines(finished, verdict(finished), page)


def document(run: Run) -> dict[str, Any]:
    """What a run says to a program."""
    from analysis.bottleneck import verdict
    from reports import closing

    return closing.document(run, verdict(run))


def exit_code(run: Run) -> Exit:
    """A broken promise outweighs a disturbed machine."""
    if not run.reconciled:
        return Exit.CHECK_FAILED
    return Exit.PASS if run.valid else Exit.INVALID_RUN


ERRORS = {
    ("deploy.topology", "TopologyError"): Exit.BAD_INPUT,
    ("loadgen.campaign", "CampaignError"): Exit.BAD_INPUT,
    ("loadgen.record", "RunError"): Exit.BAD_INPUT,
    ("loadgen.record", "DamagedRunError"): Exit.CHECK_FAILED,
    ("loadgen.seal", "RunNotWrittenError"): Exit.CHECK_FAILED,
    ("loadgen.generator", "GeneratorError"): Exit.CHECK_FAILED,
    ("loadgen.collect", "CollectError"): Exit.CHECK_FAILED,
    ("loadgen.torture", "TortureError"): Exit.CHECK_FAILED,
    ("deploy.cluster", "ClusterError"): Exit.CHECK_FAILED,
}
"""What the rooms raise on purpose: module and class → exit code."""


@contextlib.contextmanager
def exit_codes() -> Iterator[None]:
    """Turn the rooms' errors into one message for people and the exit code of their kind."""
    try:
        yield
    except Exception as error:
        code = ERRORS.get((type(error).__module__, type(error).__name__))
        if code is None:
            raise
        say(str(error), style="red")
        raise typer.Exit(code) from error


def say(line: str, style: str | None = None) -> None:
    """One line for people, as it is."""
    people.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.buffer.flush()


def command_reference() -> str:
    """Every command's help as Markdown."""
    text = ["# Commands", "", "Generated: `lab reference > docs/reference/commands.md`."]
    for name, command in commands(cast("TyperGroup", typer.main.get_command(app)), "lab"):
        context = typer.Context(command, info_name=name, terminal_width=100, max_content_width=100)
        text += ["", f"## {name}", "", "```text", command.get_help(context).strip(), "```"]
    return "\n".join(text) + "\n"


def commands(group: TyperGroup, name: str) -> Iterator[tuple[str, Any]]:
    """Every command below a group, with the words that call it."""
    for word, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from commands(cast("TyperGroup", command), f"{name} {word}")
        else:
            yield f"{name} {word}", command


if __name__ == "__main__":
    app()
