"""The commands that read sealed runs and touch nothing else: lab runs, compare, bench compare."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from deploy.console import RUNS_DIRECTORY, AsJson, exit_codes, people, print_figures, print_json, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.change import Change


def runs(as_json: AsJson = False) -> None:
    """List the runs of this checkout: id, campaign, when, valid or not, and the verdict in a word."""
    from reports.listing import listed

    found = listed(RUNS_DIRECTORY)
    table = Table(Column("run", no_wrap=True), "campaign", "started", "state", "verdict", box=None)
    for each in found:
        table.add_row(each.run, each.campaign, each.started, each.state, each.verdict)
    people.print(table if found else "no run yet; lab run CAMPAIGN makes one")
    if as_json:
        print_json(found)


def compare(
    before: Annotated[Path, typer.Argument(help="A sealed run, runs/<id>.")],
    after: Annotated[list[Path], typer.Argument(help="Runs to compare with it, each for itself.")],
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also where machines or campaigns differ, or repetitions are few.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what changed from one run to others: throughput and quantiles, with intervals over repetitions.

    Refuses (exit 2) unlike machines or campaigns, invalid runs and fewer than six repetitions.
    """
    from analysis import change
    from loadgen.record import Run

    documents = []
    with exit_codes():
        first = Run.open(before)
        for path in after:
            other = Run.open(path)
            found = change.compare(first, other, anyway=anyway)
            _show(f"{first.id} to {other.id}", found)
            documents.append(change.document(first, other, found))
    if as_json:
        print_json(documents)


def _show(title: str, found: Sequence[Change]) -> None:
    heads = ("configuration", "figure", "before", "after", "change", "interval", "", "smallest seen")
    table = Table(*heads, box=None, title=title, title_justify="left")
    for each in found:
        low, high = (f"{100 * (bound - 1):+.1f}" for bound in (each.interval.low, each.interval.high))
        table.add_row(
            each.configuration, f"{each.measure}, {each.unit}", f"{each.before:,.4g}", f"{each.after:,.4g}",
            f"{100 * (each.ratio - 1):+.1f} %", f"{low} to {high} %", each.verdict, f"{100 * each.smallest:.1f} %",
        )  # fmt: skip
    people.print(table)
    say(f"{found[0].interval.method}; the smallest change seen is found four times in five.")
    needed = max(found, key=lambda each: each.repetitions_for)
    say(f"A change of 10 % in every figure takes {needed.repetitions_for} repetitions ({needed.measure} spreads most).")


def bench_compare(
    alike: Annotated[
        list[Path] | None,
        typer.Argument(help="Runs of one campaign.", show_default="those in analysis/data"),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="How often the runs are drawn into two halves.")] = 1_000,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the figures of the given runs in analysis/data.")] = False,
    as_json: AsJson = False,
) -> None:
    """How often a comparison of runs alike cries wolf, and how often it finds that one half is a tenth slower."""
    from analysis import trials as judged
    from loadgen.record import Run

    with exit_codes():
        document = judged.pooled([Run.open(path) for path in alike]) if alike else judged.kept()
        if keep:
            judged.keep(document)
        figures = asdict(judged.trials(judged.values(document), trials))
    print_figures(figures, as_json)
