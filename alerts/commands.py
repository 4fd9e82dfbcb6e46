"""The commands about alerts: lab drill, lab bench rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from deploy.console import AsJson, Exit, exit_codes, people, print_figures, print_json, say

if TYPE_CHECKING:
    from alerts.drill import Outcome


def drill(
    names: Annotated[list[str] | None, typer.Argument(help="Rules of alerts/rules, e.g. GatewayHung.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All drills, one after the other on one cluster.")] = False,
    silence: Annotated[bool, typer.Option("--silence", help="A bursty soak and near misses: tell nobody.")] = False,
    as_json: AsJson = False,
) -> None:
    """Prove alerts: a real fault, the alert and its end at every subscriber, nothing else. Exits 3 if one fails."""
    from alerts.drill import DRILLS
    from alerts.drilling import hold_all

    known = sorted(path.stem for path in DRILLS.glob("*.yaml"))
    wanted = known if every or (silence and not names) else list(names or [])
    odd = [name for name in wanted if name not in known]
    if odd or not wanted:
        say(f"{', '.join(odd) or 'no name'}: no such drill; use --all or some of {', '.join(known)}", style="red")
        raise typer.Exit(Exit.BAD_INPUT)
    if silence:
        return keep_silence(wanted, as_json)
    with exit_codes():
        outcomes = hold_all(wanted, say)
    people.print(table(outcomes))
    for outcome in outcomes:
        for problem in outcome.problems:
            say(f"{outcome.rule}: {problem}", style="red")
    if as_json:
        print_json(document(outcomes))
    if any(outcome.problems for outcome in outcomes):
        raise typer.Exit(Exit.CHECK_FAILED)
    return None


def keep_silence(names: list[str], as_json: bool) -> None:
    from alerts.silence import keep

    with exit_codes():
        kept = keep(names, say)
    figures = {
        "soak_s": kept.soak_s, "near_misses": len(kept.near_misses), "told": sorted(kept.told),
        "broken": list(kept.broken),
    }  # fmt: skip
    print_figures(figures, as_json)
    if kept.told or kept.broken:
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
    heads = ("rule", "severity", "fault", "predicted s", "fired s", "told s", "remedied s", "resolved s", "collateral")
    found = Table(*heads, box=None)
    for each in outcomes:
        fired = "never" if each.fired_s is None else f"{each.fired_s:.1f}"
        predicted = f"{each.predicted_s:.1f}" if each.is_burn else f"<= {each.predicted_s:.1f}"
        found.add_row(
            each.rule, each.severity, each.fault, predicted, fired, times(each.told_s),
            "" if each.remedied_s is None else f"{each.remedied_s:.1f}", times(each.resolved_s),
            ", ".join(each.collateral) or "none",
        )  # fmt: skip
    return found


def times(by_channel: dict[str, float]) -> str:
    return ", ".join(f"{channel} {at_s:.1f}" for channel, at_s in by_channel.items()) or "never"


def document(outcomes: list[Outcome]) -> dict[str, Any]:
    """`detection_p95_s`: of threshold alerts, less their `for`, a symptom's wait and what the fault takes (`due_s`)."""
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
                "fired_s": _rounded(each.fired_s), "detected_s": _rounded(each.detection_s),
                "told_s": _all_rounded(each.told_s), "resolved_s": _all_rounded(each.resolved_s),
                "remedied_s": _rounded(each.remedied_s),
                "problems": each.problems,
            }
            for each in outcomes
        ],
    }  # fmt: skip


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def _all_rounded(by_channel: dict[str, float]) -> dict[str, float]:
    return {channel: round(at_s, 2) for channel, at_s in by_channel.items()}
