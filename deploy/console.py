"""How commands speak: people read standard error, programs read one JSON document on standard output.

Exit codes: 0 pass, 1 internal error, 2 bad input, 3 a gate or check failed, 4 invalid run, 130 ended by Ctrl-C (what
was measured until then is sealed as aborted).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import orjson
import typer
from rich.console import Console

if TYPE_CHECKING:
    from typer.core import TyperGroup

ROOT = Path(__file__).resolve().parent.parent
CLUSTER_DIRECTORY = ROOT / ".lab" / "cluster"
RUNS_DIRECTORY = ROOT / "runs"

people = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


class Exit(IntEnum):
    PASS = 0
    INTERNAL = 1
    BAD_INPUT = 2
    CHECK_FAILED = 3
    INVALID_RUN = 4
    ABORTED = 130


ERRORS = {
    ("deploy.topology", "TopologyError"): Exit.BAD_INPUT,
    ("loadgen.campaign", "CampaignError"): Exit.BAD_INPUT,
    ("loadgen.manifest", "RunError"): Exit.BAD_INPUT,
    ("analysis.change", "ComparisonError"): Exit.BAD_INPUT,
    ("analysis.calibration", "PredictionError"): Exit.BAD_INPUT,
    ("analysis.claims", "ClaimError"): Exit.BAD_INPUT,
    ("loadgen.manifest", "DamagedRunError"): Exit.CHECK_FAILED,
    ("loadgen.seal", "RunNotWrittenError"): Exit.CHECK_FAILED,
    ("loadgen.generator", "GeneratorError"): Exit.CHECK_FAILED,
    ("loadgen.collect", "CollectError"): Exit.CHECK_FAILED,
    ("loadgen.siege", "TortureError"): Exit.CHECK_FAILED,
    ("loadgen.bench", "BenchError"): Exit.CHECK_FAILED,
    ("dashboards.sealed", "SnapshotError"): Exit.CHECK_FAILED,
    ("dashboards.photos", "PhotoError"): Exit.CHECK_FAILED,
    ("reports.pdf", "PdfError"): Exit.CHECK_FAILED,
    ("dashboards.push", "PushError"): Exit.CHECK_FAILED,
    ("dashboards.grafana", "BoardError"): Exit.CHECK_FAILED,
    ("dashboards.queries", "QueryError"): Exit.CHECK_FAILED,
    ("deploy.cluster", "ClusterError"): Exit.CHECK_FAILED,
    ("deploy.faults.fault", "FaultError"): Exit.CHECK_FAILED,
    ("deploy.install.engine", "EngineProgramError"): Exit.BAD_INPUT,
    ("deploy.install.part", "InstallError"): Exit.CHECK_FAILED,
    ("deploy.install.part", "MissingError"): Exit.CHECK_FAILED,
    ("loadgen.bench.planted", "UnknownCaseError"): Exit.BAD_INPUT,
}
"""What the rooms raise on purpose: module and class → exit code."""


@contextlib.contextmanager
def exit_codes() -> Iterator[None]:
    """Turn the rooms' errors into one message for people and the exit code of their kind."""
    try:
        yield
    except KeyboardInterrupt:
        say("stopped by Ctrl-C; nothing is left running", style="red")
        raise typer.Exit(Exit.ABORTED) from None
    except Exception as error:
        code = ERRORS.get((type(error).__module__, type(error).__name__))
        if code is None:
            raise
        say(str(error), style="red")
        raise typer.Exit(code) from error


def command_reference(app: typer.Typer) -> str:
    """Every command's help as Markdown."""
    text = ["# Commands", "", "Generated: `lab reference > docs/reference/commands.md`."]
    for name, command in _commands(cast("TyperGroup", typer.main.get_command(app)), "lab"):
        context = typer.Context(command, info_name=name, terminal_width=100, max_content_width=100)
        text += ["", f"## {name}", "", "```text", command.get_help(context).strip(), "```"]
    return "\n".join(text) + "\n"


def _commands(group: TyperGroup, name: str) -> Iterator[tuple[str, Any]]:
    """Every command below a group, with the words that call it."""
    for word, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from _commands(cast("TyperGroup", command), f"{name} {word}")
        else:
            yield f"{name} {word}", command


def say(line: str, style: str | None = None) -> None:
    """One line for people, as it is."""
    people.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.buffer.flush()


def print_figures(figures: Mapping[str, Any], as_json: bool) -> None:
    """What a bench measured, a line each for people."""
    for name, figure in figures.items():
        say(f"{name:32} {figure}")
    if as_json:
        print_json(figures)
