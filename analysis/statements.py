"""One slow statement: where the time inside Postgres's statements goes, and whether a single one holds orders up.

A statement's time is its execution: a commit's sync comes after it, and a wait for a lock lies within it. So one is
suspected only where few of the sessions at work wait for the disk or for locks.
"""

from __future__ import annotations

from analysis.finding import Bearing, Figure, Finding, Mechanism, percent
from analysis.measured import Configuration, configurations
from analysis.residence import DOMINANT, residence_of
from analysis.series import increase, samples_of
from analysis.waits import HELD_UP, waits_of
from loadgen.record import Run

SECONDS, CALLS = "pg_statement_seconds", "pg_statement_calls"
SHOWN_CHARACTERS = 60


def statements(run: Run) -> list[Finding]:
    return [found for each in configurations(run) if each.orders and (found := _finding(run, each)) is not None]


def _finding(run: Run, configuration: Configuration) -> Finding | None:
    took, calls = (_by_statement(run, configuration, metric) for metric in (SECONDS, CALLS))
    if not sum(took.values()):
        return None
    slowest = max(took, key=lambda statement: took[statement])
    each_ms = 1e3 * took[slowest] / max(calls.get(slowest, 0.0), 1.0)
    an_order_ms = 1e3 * took[slowest] / (configuration.orders * configuration.commands_per_order)
    share = took[slowest] / sum(took.values())
    time, seen = residence_of(run, configuration), waits_of(run, configuration)
    is_held_up = seen.on_wal + seen.on_locks >= HELD_UP * seen.at_work > 0
    suspected = time is not None and an_order_ms >= DOMINANT * time.whole_ms and not is_held_up
    return Finding(
        claim=f"Of the time in Postgres's statements {percent(share)} goes to one, {each_ms:.2f} ms a call: "
        f"{_shown(slowest)}",
        component="ledger",
        mechanism=Mechanism.STATEMENT,
        status=Bearing.SUSPECTED if suspected else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=(
            Figure("costliest statement", an_order_ms, "ms an order"),
            Figure("costliest statement", each_ms, "ms a call"),
            Figure("costliest statement of all statements", 100 * share, "%"),
        ),
        doubt="What it does in that time is not recorded: it may compute, read, or sleep." if suspected else "",
        next_step="Look at its plan (EXPLAIN ANALYZE) under this load: a missing index, a trigger, a sequential scan."
        if suspected
        else "",
    )


def _by_statement(run: Run, configuration: Configuration, metric: str) -> dict[str, float]:
    """Growth in the measured parts, over all shards."""
    found: dict[str, float] = {}
    for window in configuration.windows:
        samples = samples_of(run, metric, window)
        if "statement" not in samples:
            continue
        for statement, rows in samples.groupby("statement"):
            found[str(statement)] = found.get(str(statement), 0.0) + float(increase(rows, window).sum())
    return found


def _shown(statement: str) -> str:
    line = " ".join(statement.split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[: SHOWN_CHARACTERS - 1]}…"
