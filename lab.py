"""The front door: every command by name, and the few that join rooms. Thin: nothing is decided here.

A command that needs one room stands in that room's commands.py. Heavy parts are imported inside the commands:
pandas and locust take a second each to load. How commands speak and exit: deploy/console.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from alerts import commands as alerts
from dashboards import commands as boards
from deploy import commands as deploy
from deploy.console import (
    CLUSTER_DIRECTORY,
    ROOT,
    RUNS_DIRECTORY,
    AsJson,
    command_reference,
    exit_codes,
    people,
    print_figures,
    print_json,
    say,
)
from loadgen import commands as loadgen
from reports import commands as reports

if TYPE_CHECKING:
    from analysis.locator import Judged, Planted, Tried
    from loadgen.bench.planted import Case
    from loadgen.campaign import Campaign
    from loadgen.live import Show
    from loadgen.record import Run

TELEMETRY_CAMPAIGN = ROOT / "loadgen" / "campaigns" / "telemetry.yaml"
PREDICT_CAMPAIGNS = [ROOT / "loadgen" / "campaigns" / f"predict_{part}.yaml" for part in ("base", "held_out")]
QUICK_CAMPAIGN = ROOT / "loadgen" / "campaigns" / "quick.yaml"

app = typer.Typer(
    help="An observability and performance lab for trading clusters.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
boards_group = typer.Typer(help="What a person looks at, as code.", no_args_is_help=True)
app.add_typer(boards_group, name="boards")
bench = typer.Typer(help="Measure a part alone; figures of one run are compared as ratios.", no_args_is_help=True)
app.add_typer(bench, name="bench")

Commands = tuple[Callable[..., None], ...]
COMMANDS: Commands = (
    deploy.doctor, deploy.down, deploy.status, deploy.restart, alerts.drill, loadgen.torture, reports.runs,
    reports.compare, reports.predict, reports.claims, reports.whatif,
)  # fmt: skip
BOARDS: Commands = (
    boards.build, boards.push, boards.verify, boards.snapshot, boards.screenshots, boards.quiz,
)  # fmt: skip
BENCHES: Commands = (
    deploy.bench_engine, loadgen.bench_engine_grpc, loadgen.bench_ledger, alerts.bench_rules, reports.bench_compare,
    loadgen.bench_loadgen, loadgen.bench_stall, loadgen.bench_validity, loadgen.bench_gateway, loadgen.bench_overload,
    loadgen.bench_detection,
)  # fmt: skip
for group, commands in ((app, COMMANDS), (boards_group, BOARDS), (bench, BENCHES)):
    for command in commands:
        group.command(command.__name__.removeprefix("bench_").replace("_", "-"))(command)

LEVERS_TRIED = 3
"""By a proof that is to end within five minutes."""


class Proving(StrEnum):
    LIKELIEST = "likeliest"
    FULL = "full"


class WithBareProve(TyperCommand):
    """`--prove` alone stands for `--prove=likeliest`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["--prove=likeliest" if word == "--prove" else word for word in args])


Short = Annotated[bool, typer.Option("--short", help="The campaign's smaller setting, as `make campaigns` runs it.")]


@app.command()
def up(topology: deploy.TopologyFile = deploy.LOCAL_TOPOLOGY, as_json: AsJson = False) -> None:
    """Start a cluster and leave it running until `lab down`; say where its boards are."""
    with exit_codes():
        boards.announce(deploy.start(topology))
    deploy.status(as_json)


@app.command(cls=WithBareProve)
def run(
    campaign: Annotated[Path, typer.Argument(help="A campaign file, e.g. loadgen/campaigns/quick.yaml.")],
    short: Short = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be run and how long it takes; run nothing.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Generator processes that share the load; at most one a core.")
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(help="Another machine that shares it, by ssh: user@name:checkout. Several times."),
    ] = None,
    prove: Annotated[
        Proving | None,
        typer.Option(help="Afterwards turn levers on the live cluster: the three likeliest, or with --prove=full all."),
    ] = None,
    prediction: Annotated[
        Path | None, typer.Option(help="What `lab predict` wrote: the run's manifest carries its hash.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a campaign to a sealed run and its report. Exits 3 if the reconciliation or a gate fails, 4 if invalid.

    Ctrl-C seals what was measured until then as aborted, stops everything and exits 130. With --prove both runs count.
    """
    if dry_run:
        with exit_codes():
            loadgen.foretell(read(campaign, short, workers, host or ()), LEVERS_TRIED if prove else 0, as_json)
        return
    with exit_codes():
        foretold = reports.read_prediction(prediction) if prediction else None
    written = foretold["sha256"] if foretold else None
    finished, lines = run_and_report(campaign, short, prove, written, workers=workers, hosts=host or ())
    for line in lines:
        say(line)
    if foretold:
        reports.show_compared(foretold, finished[0])
    if as_json:
        print_json(reports.document(*finished))
    raise typer.Exit(reports.exit_code(*finished))


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A sealed run, runs/<id>.")],
    pdf: Annotated[bool, typer.Option("--pdf", help="Also as PDF, printed by Chromium.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the report of a sealed run again: HTML, Markdown and JSON beside the run."""
    from loadgen.record import Run
    from reports.pdf import printed
    from reports.report import write

    with exit_codes():
        opened = Run.open(run)
        path = write(run)
        boards.draw_beside(run)
        path = printed(path) if pdf else path
    people.print(f"report: {path}")
    if as_json:
        print_json({**reports.document(opened), "report": str(path)})
    raise typer.Exit(reports.exit_code(opened))


@app.command()
def trace(
    order: Annotated[str, typer.Argument(help="An order id, a client order id, a trace id, or `slowest`.")],
    run: Annotated[
        Path | None, typer.Option(help="A sealed run, runs/<id>.", show_default="the newest of runs/")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell one order's story: its spans, from the client's intended send time on, as a waterfall, and its log lines."""
    from analysis.story import story
    from loadgen.record import Run
    from reports.waterfall import waterfall

    with exit_codes():
        told = story(Run.open(run or Run.newest(RUNS_DIRECTORY)), order)
    for line in waterfall(told):
        say(line)
    if as_json:
        print_json(told)


@bench.command("locator")
def bench_locator(
    cases: Annotated[str, typer.Option(help="Cases, commas between; strange: untuned.", show_default="all")] = "",
    full: Annotated[
        bool, typer.Option("--full", help="All three severities, not the middle one; 60 healthy parts, not 18.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="How often each case is planted, in another order.")] = 1,
    first_seed: Annotated[int, typer.Option(min=1, help="Where the seeds begin: to go on with --keep.")] = 1,
    active: Annotated[
        bool, typer.Option("--active", help='Prove the limits by levers instead: how often is "proven" right?')
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(help="Keep the runs in this folder, and judge those that lie there as well.")
    ] = None,
    only_judge: Annotated[bool, typer.Option("--only-judge", help="Judge the runs in --keep; run nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Plant limits on purpose, one after the other, and score who names them: the locator, and four baselines."""
    from analysis.locator import scored
    from loadgen.bench import locator, planted

    not_run: list[str] = []
    with exit_codes(), TemporaryDirectory() as scratch:
        runs = keep or Path(scratch) / "runs"
        chosen = planted.chosen([name for name in cases.split(",") if name])
        severities = range(planted.SEVERITIES) if full else [planted.SEVERITIES // 2]
        for seed in () if only_judge else range(first_seed, first_seed + seeds):
            if active:
                prove_planted(planted.active(chosen), runs, seed)
            else:
                sessions = locator.sessions(chosen, severities, seed, parts=10 if full else 3)
                not_run += locator.run_sessions(sessions, runs, CLUSTER_DIRECTORY, seed, say)
        found = scored(*judge_planted(runs, chosen), not_run)
    people.print_json(data=found)
    if as_json:
        print_json(found)


def prove_planted(cases: Sequence[Case], runs: Path, seed: int) -> None:
    """Each limit planted for good, and levers turned that are of another kind; the proofs are sealed in `runs`."""
    from loadgen.bench.locator import to_be_proven
    from loadgen.live import shown
    from loadgen.record import Run
    from loadgen.run import cluster_for, run_campaign

    for case in cases:
        campaign = to_be_proven(case, seed)
        topology = campaign.plan()[0].topology
        with TemporaryDirectory() as scratch, cluster_for(topology, CLUSTER_DIRECTORY, say), shown(people, say) as show:
            passive = Run.open(run_campaign(campaign, Path(scratch), CLUSTER_DIRECTORY, say, show))
            if not proven(campaign, passive, Proving.LIKELIEST, show, runs):
                return


def judge_planted(runs: Path, chosen: Sequence[Case]) -> tuple[list[Judged], list[Tried]]:
    """Of these cases, all that lies in `runs`: verdicts on what was planted for a moment, and proofs."""
    from analysis.locator import judged, tried
    from loadgen.bench.locator import proven_case
    from loadgen.record import Run

    rows, proofs = [], []
    for path in sorted(runs.glob("*/manifest.json")):
        run = Run.open(path.parent)
        if case := proven_case(run.campaign):
            proofs.append(tried(case.name, case.truths, run))
            say(f"{case.name}, by levers: {proofs[-1].said}")
            continue
        for each in planted_in(run):
            if each.case in {case.name for case in chosen}:
                rows.append(judged(each))
                say(f"{each.case}/{each.severity}: {rows[-1].said}")
    return rows, proofs


def planted_in(run: Run) -> list[Planted]:
    """What the locator's bench planted in a run of its own."""
    from analysis.locator import Planted
    from loadgen.bench.locator import segments

    window = run.windows[0]
    found = segments(run.campaign, run.events, (window.measured_from_ns, window.measured_until_ns))
    return [
        Planted(each.case.name, each.severity, each.case.truths, each.case.is_held_out, run, each.parts_ns)
        for each in found
    ]


@bench.command("telemetry")
def bench_telemetry(as_json: AsJson = False) -> None:
    """What telemetry costs the order path: gateways with all of it, or a pillar, beside gateways without it."""
    from analysis.telemetry_cost import telemetry_cost

    (finished,), _ = run_and_report(TELEMETRY_CAMPAIGN, short=False)
    with exit_codes():
        cost = telemetry_cost(finished)
    print_figures({**cost.document(), "run": finished.id}, as_json)
    raise typer.Exit(reports.exit_code(finished))


@bench.command("predict")
def bench_predict(
    base: Annotated[Path | None, typer.Option(help="A sealed run of predict_base, instead of a new one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Predict twelve configurations from one run, write that down, measure them, and compare. Some eleven minutes."""
    from analysis import predicted
    from analysis.predict import Target, model_of, predict
    from loadgen.campaign import Campaign
    from loadgen.record import Run

    first, held_out = PREDICT_CAMPAIGNS
    with exit_codes():
        opened = Run.open(base) if base else run_and_report(first, short=False)[0][0]
        model = model_of(opened)
        targets = [Target(w.topology, w.load.users or 0, w.load.think_time_s) for w in Campaign.read(held_out).plan()]
        foretold = predicted.document(opened, [predict(model, target) for target in targets])
        written = predicted.write(RUNS_DIRECTORY / "predictions", foretold)
    say(f"written before: {written}")
    (measured,), _ = run_and_report(held_out, short=False, prediction=foretold["sha256"])
    found = predicted.scores(predicted.compared(foretold, measured))
    shown = {name: figure for name, figure in found.items() if name != "rows"}
    print_figures({**shown, "run": measured.id, "valid": measured.valid and opened.valid}, as_json=False)
    if as_json:
        print_json({**found, "base": opened.id, "run": measured.id, "valid": measured.valid and opened.valid})


@app.command()
def demo() -> None:
    """Run the quick campaign from nothing to its report, and end with five lines."""
    finished, lines = run_and_report(QUICK_CAMPAIGN, short=False)
    print("\n".join(lines))
    raise typer.Exit(reports.exit_code(*finished))


@app.command()
def reference() -> None:
    """Print the reference of all commands, as in docs/reference/commands.md."""
    print(command_reference(app), end="")


def read(campaign: Path, short: bool, workers: int | None, hosts: Sequence[str]) -> Campaign:
    """The campaign as it is to be run here. Raises CampaignError."""
    from loadgen.campaign import Campaign

    return Campaign.read(campaign, short).with_workers(workers, hosts)


def run_and_report(
    campaign: Path,
    short: bool,
    prove: Proving | None = None,
    prediction: str | None = None,
    *,
    workers: int | None = None,
    hosts: Sequence[str] = (),
) -> tuple[list[Run], list[str]]:
    """The sealed run, then that of its proof, and the lines that close them for people."""
    from analysis.bottleneck import verdict
    from loadgen.live import shown
    from loadgen.prove import foresee
    from loadgen.record import Run
    from loadgen.run import cluster_for, run_campaign
    from reports.closing import closing_lines
    from reports.report import write

    lines: list[str] = []
    with exit_codes(), shown(people, say) as show:
        asked = read(campaign, short, workers, hosts)
        if prove:
            foresee(asked)
        with cluster_for(asked.plan()[0].topology, CLUSTER_DIRECTORY, say) if prove else nullcontext():
            path = run_campaign(asked, RUNS_DIRECTORY, CLUSTER_DIRECTORY, say, show, prediction=prediction)
            finished = [Run.open(path)]
            if prove:
                write(path)
                finished += proven(asked, finished[0], prove, show)
        for each in finished:
            page = write(each.path)
            boards.draw_beside(each.path)
            lines += closing_lines(each, verdict(each), page)
    return finished, lines


def proven(campaign: Campaign, passive: Run, how: Proving, show: Show, runs: Path = RUNS_DIRECTORY) -> list[Run]:
    """The sealed run of a proof: levers turned under load, chosen by what the campaign's own run suggests. None of a
    run that suggests nothing."""
    from analysis.measured import configurations
    from analysis.proving import likeliest, unprovable
    from loadgen.campaign import configuration_name
    from loadgen.prove import levers_of, proof_of, window_to_prove
    from loadgen.record import Run
    from loadgen.run import run_campaign

    if why := unprovable(passive):
        say(why)
        return []
    carried = {each.name: each for each in configurations(passive)}
    best = max(carried.values(), key=lambda each: each.orders_per_s.value)
    window = window_to_prove(campaign, best.name)
    levers = levers_of(campaign, window)
    names = likeliest(passive, carried[configuration_name(window.parameters)], list(levers))
    chosen = [levers[name] for name in (names if how is Proving.FULL else names[:LEVERS_TRIED])]
    say(f"proving {window.name}: turning {', '.join(lever.name for lever in chosen)}")
    proof = proof_of(campaign, window, chosen)
    return [Run.open(run_campaign(proof, runs, CLUSTER_DIRECTORY, say, show, chosen))]


if __name__ == "__main__":
    app()
