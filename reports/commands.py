"""The commands that read sealed runs and touch nothing else: lab runs."""

from __future__ import annotations

from rich.table import Column, Table

from deploy.console import RUNS_DIRECTORY, AsJson, people, print_json


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
