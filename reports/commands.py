"""The commands that read sealed runs and touch nothing else: lab runs, compare, predict, claims, bench compare."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.table import Column, Table

from deploy.console import RUNS_DIRECTORY, AsJson, Exit, exit_codes, people, print_figures, print_json, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.change import Change
    from loadgen.record import Run


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
    page: Annotated[
        Path | None, typer.Option(help="Put the runs beside each other on this HTML page, and test nothing.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what changed from one run to others: throughput and quantiles, with intervals over repetitions.

    Refuses (exit 2) unlike machines or campaigns, invalid runs and fewer than six repetitions.
    """
    from analysis import change
    from loadgen.record import Run
    from reports import comparison

    documents = []
    with exit_codes():
        first = Run.open(before)
        if page is not None:
            say(f"page: {comparison.write([first, *(Run.open(path) for path in after)], page)}")
            return
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


def predict(
    run: Annotated[Path, typer.Argument(help="A sealed run, runs/<id>, that sweeps gateways or users.")],
    gateways: Annotated[int | None, typer.Option(min=1, help="Left out: as where the run carried most.")] = None,
    shards: Annotated[int | None, typer.Option(min=1, help="Of the ledger.")] = None,
    users: Annotated[int | None, typer.Option(min=1, help="Of the closed loop.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Anything of the topology, as ledger.write_path=group.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Orders a second of an open loop, instead of users.")] = None,
    commits: Annotated[
        Path | None, typer.Option(help="JSON, concurrent commits to commits a second, as pgbench -c measures them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict a configuration that was not run, and write that into a file with its hash, before it is measured.

    Then `lab run CAMPAIGN --prediction FILE`. Refuses (exit 2) where the model fits the run poorly, or too far off.
    """
    from analysis import predicted
    from analysis.predict import model_of
    from analysis.predict import predict as predict_target
    from loadgen.record import Run

    wanted = dict(_changed(change) for change in changes or [])
    wanted |= {"gateways.replicas": gateways} if gateways else {}
    wanted |= {"ledger.shards": shards} if shards else {}
    with exit_codes():
        opened = Run.open(run)
        target = predicted.target(opened, wanted, users, rate)
        curve = predicted.curve(commits) if commits else None
        found = predict_target(model_of(opened, target.topology, curve), target)
        document = predicted.document(opened, [found])
        path = predicted.write(RUNS_DIRECTORY / "predictions", document)
    say(
        f"{found.orders_per_s:,.0f} orders/s ({found.interval.low:,.0f} to {found.interval.high:,.0f}), "
        f"{found.latency_ms:.1f} ms a request ({found.latency_interval.low:.1f} to {found.latency_interval.high:.1f}); "
        f"{found.outcome.binds} binds"
    )
    say(f"written before: {path}\nmeasure it: lab run CAMPAIGN --prediction {path}")
    if as_json:
        print_json({**document, "file": str(path)})


def _changed(given: str) -> tuple[str, Any]:
    name, equals, value = given.partition("=")
    if not equals:
        raise typer.BadParameter(f"{given} has no value; write it as ledger.write_path=group")
    return name, yaml.safe_load(value)


def read_prediction(path: Path) -> dict[str, Any]:
    from analysis.predicted import read

    return read(path)


def show_compared(document: Mapping[str, Any], run: Run) -> None:
    """What a run made of the prediction that it carries."""
    from analysis.predicted import compared

    rows = compared(document, run)
    for row in rows:
        where = "inside" if row.covered else "outside"
        say(
            f"predicted {row.predicted_per_s:,.0f} orders/s ({row.low:,.0f} to {row.high:,.0f}), "
            f"measured {row.measured_per_s:,.0f}: {100 * row.error:.1f} % off, {where} the interval"
        )
    if not rows:
        say("the prediction is of no configuration of this run: topology, quotas, users and think time must agree")


def claims(
    benches: Annotated[
        Path | None,
        typer.Option(help="Folder of what benches printed with --json.", show_default="runs/benches"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What the architecture documents claim: supported, refuted, not testable here or not yet tested."""
    from analysis import claims as claimed
    from loadgen.layout import MANIFEST
    from loadgen.record import Run

    with exit_codes():
        runs = [Run.open(path.parent) for path in sorted(RUNS_DIRECTORY.glob(f"*/{MANIFEST}"))]
        printed = claimed.printed(benches or RUNS_DIRECTORY / "benches")
    rows = claimed.document(claimed.judged(runs, printed))
    table = Table(Column("claim", no_wrap=True), "status", "what was seen", "shown by", box=None)
    for row in rows:
        table.add_row(row["id"], row["status"], row["said"], row["run"])
    people.print(table)
    if as_json:
        print_json(rows)


def whatif(
    run: Annotated[Path, typer.Argument(help="A sealed run, runs/<id>, that sweeps gateways or users.")],
    as_json: AsJson = False,
) -> None:
    """What binds next once a limit is lifted, what each step buys, and the HFT document's roadmap on this model."""
    from analysis import predicted
    from analysis import whatif as asked
    from analysis.predict import model_of
    from loadgen.record import Run

    with exit_codes():
        opened = Run.open(run)
        start = predicted.target(opened, {}, None)
        found = asked.document(model_of(opened, start.topology), start)
    for step in found["steps"]:
        lifted = f"twice {step['lifted']}" if step["lifted"] else "as measured"
        said = f"{lifted:32} {step['orders_per_s']:8,.0f} orders/s ({step['status']}), {step['gain']:.2f} times"
        say(f"{said}; then {step['binds']} binds")
    for row in found["roadmap"]:
        low, high = row["claimed"]
        said = f"stage {row['stage']:24} {row['modelled_per_s']:8,.0f} orders/s ({row['status']})"
        say(f"{said}, {low:,} to {high:,} claimed")
    if as_json:
        print_json(found)


def document(run: Run, proof: Run | None = None) -> dict[str, Any]:
    """What a run says to a program; where it was proven its proof does, with the run under `passive`."""
    from analysis.bottleneck import verdict
    from reports import closing

    if proof is not None:
        return {**document(proof), "passive": document(run)}
    return closing.document(run, verdict(run))


def exit_code(*runs: Run) -> Exit:
    """Of all of them. A broken promise outweighs Ctrl-C, that a disturbed machine, and that a missed gate."""
    from analysis.gates import gates

    if not all(run.reconciled for run in runs):
        return Exit.CHECK_FAILED
    if any(run.status != "complete" for run in runs):
        return Exit.ABORTED
    if not all(run.valid for run in runs):
        return Exit.INVALID_RUN
    return Exit.PASS if all(gate.passed for run in runs for gate in gates(run)) else Exit.CHECK_FAILED
