"""The proof of a limit as plain data: what happened to throughput when one lever after another was turned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.elasticity import Elasticity
from analysis.finding import Figure
from analysis.measured import Configuration
from analysis.proving import trial
from loadgen.record import Run


def proofs(run: Run, configurations: Sequence[Configuration]) -> list[dict[str, Any]]:
    """One for each configuration in which levers were turned."""
    found = []
    for configuration in configurations:
        tried = trial(run, configuration)
        if tried is not None:
            found.append({
                "configuration": configuration.name,
                "proven": tried.is_proven and run.valid,
                "conditions": [{"holds": each.holds, "said": each.said} for each in tried.conditions],
                "base_per_s": interval(tried.proof.base_per_s),
                "think": tried.proof.think,
                "rest": tried.proof.rest,
                "levers": [_lever(each) for each in tried.proof.elasticities],
            })  # fmt: skip
    return found


def _lever(each: Elasticity) -> dict[str, Any]:
    return {
        "lever": each.lever,
        "component": each.component,
        "elasticity": interval(each.value),
        "relief": interval(each.relief),
        "less_per_s": interval(each.less_per_s),
        "more_per_s": interval(each.more_per_s),
        "received": each.received,
        "host_busy": each.host_busy,
    }


def interval(figure: Figure) -> dict[str, Any]:
    low, high = (figure.interval.low, figure.interval.high) if figure.interval else (None, None)
    return {"value": figure.value, "low": low, "high": high}
