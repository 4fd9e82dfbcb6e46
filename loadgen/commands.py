"""The commands that load something and need no analysis: lab torture, and benches of the path and of the generator."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.console import CLUSTER_DIRECTORY, AsJson, Exit, exit_codes, print_figures, print_json, say

if TYPE_CHECKING:
    from loadgen.campaign import Campaign


def torture(
    cycles: Annotated[int, typer.Option(min=1, help="How many times to strike.")] = 20,
    seed: Annotated[int, typer.Option(help="Decides who is struck, how and when.")] = 1,
    crash_points: Annotated[
        int, typer.Option(min=0, help="Instead: hit each crash point of decision 1 so often.", show_default=False)
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Strike the order path under load in many ways, and count lost orders. Exits 3 if a promise was broken."""
    from loadgen.crash_points import hit_all
    from loadgen.torture import torture as strike

    with exit_codes(), TemporaryDirectory() as scratch:
        if crash_points:
            outcome = hit_all(crash_points, CLUSTER_DIRECTORY, Path(scratch), say)
        else:
            outcome = strike(cycles, seed, CLUSTER_DIRECTORY, Path(scratch), say)
    say("every promise was kept" if outcome.kept else "\n".join(outcome.differences))
    if as_json:
        print_json(outcome.document())
    if not outcome.kept:
        raise typer.Exit(Exit.CHECK_FAILED)


def foretell(campaign: Campaign, levers: int, as_json: bool) -> None:
    """`lab run --dry-run`."""
    from loadgen.outlook import outlook, text

    found = outlook(campaign, levers)
    for line in text(found):
        say(line)
    if as_json:
        print_json(found)


def bench_engine_grpc(
    orders: Annotated[
        int, typer.Option(min=1, help="Orders to stream from C++, a quarter of them from Python.")
    ] = 2_000_000,
    as_json: AsJson = False,
) -> None:
    """The engine over gRPC on loopback: unary calls, and streams of batches from C++ and from one Python process."""
    from deploy.install.engine import measured_by
    from loadgen.bench.engine_stream import Size, measure

    with exit_codes():
        figures = measured_by("engine-grpc-bench", ["--orders", str(orders)])
        figures |= measure(Size(orders=max(1, orders // 4)))
    print_figures(figures, as_json)


def bench_ledger(
    rounds: Annotated[int, typer.Option(min=1, help="How often each way takes its turn.")] = 5,
    seconds_each: Annotated[int, typer.Option(min=1, help="How long a turn takes.")] = 4,
    as_json: AsJson = False,
) -> None:
    """The ledger alone: one commit an order, many orders a commit, and pgbench with the same insert, in turns."""
    from loadgen.bench.ledger import Size, measure

    with exit_codes(), TemporaryDirectory() as scratch:
        figures = measure(Size(rounds, seconds_each), Path(scratch) / "cluster", say)
    print_figures(figures, as_json)


def bench_loadgen(
    rounds: Annotated[int, typer.Option(min=1, help="How often each client takes its turn.")] = 5,
    seconds_each: Annotated[int, typer.Option(min=2, help="How long a turn takes.")] = 4,
    as_json: AsJson = False,
) -> None:
    """The generator against locust's FastHttpUser, requests a core-second in turns; its schedule error at 1,000/s."""
    from loadgen.bench.client import Size, measure

    with exit_codes():
        figures = measure(Size(rounds, seconds_each))
    print_figures(figures, as_json)


def bench_stall(
    duration_s: Annotated[
        int, typer.Option(min=5, max=15, help="How long each is loaded; the stall takes one second.")
    ] = 10,
    with_k6: Annotated[bool, typer.Option("--k6", help="Ask k6 too, built from its Go module first.")] = False,
    image: Annotated[Path | None, typer.Option(help="Draw the curves into this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """A server that stands still for a second: latencies as analysis, open loop, closed loop and k6 see them."""
    from deploy.install import tools
    from loadgen.bench import stall

    with exit_codes():
        seen = stall.see(float(duration_s), tools.built(tools.K6) if with_k6 else None)
        found = stall.figures(seen, float(duration_s))
    if image:
        stall.draw(seen, float(duration_s), image)
    print_figures(found, as_json)


def bench_gateway(
    rounds: Annotated[int, typer.Option(min=1, help="How often the gateway and the empty handler take turns.")] = 3,
    seconds_each: Annotated[float, typer.Option(min=1, help="How long a turn is measured.")] = 5,
    as_json: AsJson = False,
) -> None:
    """One gateway on a core of its own with the real engine and stores, beside an empty handler of its frameworks."""
    from loadgen.bench.gateway import Size, measure

    with exit_codes(), TemporaryDirectory() as scratch:
        figures = measure(Size(rounds, seconds_each), Path(scratch) / "cluster", say)
    print_figures(figures, as_json)


def bench_overload(
    seconds_each: Annotated[float, typer.Option(min=2, help="How long each rate is offered before the overload.")] = 6,
    overload_s: Annotated[float, typer.Option(min=2, help="How long four times the nominal rate is offered.")] = 12,
    as_json: AsJson = False,
) -> None:
    """Four times what a scale model takes, by clients that try again: the goodput, its latency, and the recovery."""
    from loadgen.bench.overload import Size, measure

    with exit_codes(), TemporaryDirectory() as scratch:
        figures = measure(Size(seconds_each, overload_s), Path(scratch) / "cluster", say)
    if as_json:
        print_json(figures)


def bench_detection(
    steps: Annotated[int, typer.Option(min=1, help="How many steps of latency are planted, one after the other.")] = 30,
    as_json: AsJson = False,
) -> None:
    """How soon a step of a gateway's latency is seen in the live Prometheus. Exits 3 if p95 is above one second."""
    from loadgen.bench.detection import measure

    with exit_codes(), TemporaryDirectory() as scratch:
        delays = measure(steps, Path(scratch) / "cluster", say)
    print_figures(delays.document(), as_json)
    if not delays.is_within_goal:
        raise typer.Exit(Exit.CHECK_FAILED)


def bench_validity(
    runs: Annotated[int, typer.Option(min=1, help="Of each: starved generators, healthy ones, slow systems.")] = 20,
    seconds_each: Annotated[int, typer.Option(min=2, help="How long each is loaded.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Does a starved generator make its run invalid, and nothing else? Exits 3 if a verdict was wrong."""
    from loadgen.bench.validity import Size, measure

    with exit_codes():
        figures = measure(Size(runs, seconds_each), say)
    print_figures(figures, as_json)
    if figures["starved_invalid"] < runs or figures["healthy_invalid"] or figures["slow_invalid"]:
        raise typer.Exit(Exit.CHECK_FAILED)
