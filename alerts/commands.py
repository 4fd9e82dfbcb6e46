"""The commands about alerts: lab drill, lab bench rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from deploy.console import AsJson, Exit, exit_codes, people, print_figures, print_json, say

if TYPE_CHECKING:
    from alerts.drill import Outcome


def drill(
    name: Annotated[str | None, typer.Argument(help="A rule of alerts/rules, e.g. GatewayHung.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All drills, one after the other on one cluster.")] = False,
    as_json: AsJson = False,
) -> None:
    """Prove an alert: a real fault, the alert and its end at every subscriber, nothing else. Exits 3 if one fails."""
    from alerts.drill import DRILLS
    from alerts.drilling import hold_all

    names = sorted(path.stem for path in DRILLS.glob("*.yaml"))
    if not every and name not in names:
        say(f"{name or 'no name'}: no such drill; use --all or one of {', '.join(names)}", style="red")
        raise typer.Exit(Exit.BAD_INPUT)
    with exit_codes():
        outcomes = hold_all(names if every else [str(name)], say)
    people.print(table(outcomes))
    for outcome in outcomes:
        for problem in outcome.problems:
            say(f"{outcome.rule}: {problem}", style="red")
    if as_json:
        print_json(document(outcomes))
    if any(outcome.problems for outcome in outcomes):
        raise typer.Exit(Exit.CHECK_FAILED)


def bench_rules(as_json: AsJson = False) -> None:
    """Change every rule in one place at a time: do its cases notice? Exits 3 where fewer than 95 % are caught."""
    from alerts.mutants import CAUGHT_MIN, weigh

    with exit_codes():
        verdict = weigh()
    figures = {
        "mutants": verdict.mutants, "caught": verdict.caught, "share": round(verdict.share, 4),
        "survivors": list(verdict.survivors),
    }  # fmt: skip
    print_figures(figures, as_json)
    if verdict.share < CAUGHT_MIN:
        raise typer.Exit(Exit.CHECK_FAILED)


def table(outcomes: list[Outcome]) -> Table:
    heads = ("rule", "severity", "fault", "predicted s", "detected s", "told s", "resolved s", "collateral")
    found = Table(*heads, box=None)
    for each in outcomes:
        detected = "never" if each.detection_s is None else f"{each.detection_s:.1f}"
        predicted = f"{each.predicted_s:.1f}" if each.is_burn else f"<= {each.predicted_s:.1f}"
        found.add_row(
            each.rule, each.severity, each.fault, predicted, detected, times(each.told_s), times(each.resolved_s),
            ", ".join(each.collateral) or "none",
        )  # fmt: skip
    return found


def times(by_channel: dict[str, float]) -> str:
    return ", ".join(f"{channel} {at_s:.1f}" for channel, at_s in by_channel.items()) or "never"


def document(outcomes: list[Outcome]) -> dict[str, Any]:
    """`detection_p95_s`: of threshold alerts, what their `for` does not explain."""
    from alerts.drill import detection_p95_s

    return {
        "rules": len(outcomes),
        "proven": sum(not outcome.problems for outcome in outcomes),
        "failed": [outcome.rule for outcome in outcomes if outcome.problems],
        "collateral": sorted({name for outcome in outcomes for name in outcome.collateral}),
        "detection_p95_s": detection_p95_s(outcomes),
        "drills": [
            {
                "rule": each.rule, "severity": each.severity, "fault": each.fault,
                "predicted_s": round(each.predicted_s, 2),
                "detected_s": None if each.detection_s is None else round(each.detection_s, 2),
                "told_s": each.told_s, "resolved_s": each.resolved_s, "problems": each.problems,
            }
            for each in outcomes
        ],
    }  # fmt: skip
