"""How a campaign goes, each second, for people: a small table that redraws itself on a terminal, lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.table import Table

from loadgen.assignment import Second
from loadgen.outlook import clock

LINE_EVERY = 5
"""Seconds from one line to the next where nothing can be redrawn."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One second of load and where in the campaign it lies."""

    window: str
    stage: str
    second: Second
    number: int
    """Of the seconds of this window."""
    window_left_s: float
    run_left_s: float

    @property
    def achieved(self) -> int:
        return self.second.outcomes.get("ok", 0)

    @property
    def failed(self) -> int:
        return self.second.requests - self.achieved


Show = Callable[[Beat], None]


def lines(say: Callable[[str], None]) -> Show:
    """Says every fifth second in one line."""

    def show(beat: Beat) -> None:
        if beat.number % LINE_EVERY == 0:
            say(line(beat))

    return show


def line(beat: Beat) -> str:
    second = beat.second
    return (
        f"  {beat.stage}: {second.offered} offered, {beat.achieved} ok, p50 {second.p50_ns / 1e6:.1f} ms,"
        f" p99 {second.p99_ns / 1e6:.1f} ms, {beat.failed} failed, lag {second.lag_ns / 1e6:.0f} ms,"
        f" {beat.window_left_s:.0f} s left, {clock(beat.run_left_s)} in all"
    )


def table(beat: Beat) -> Table:
    heads = ("window", "stage", "offered/s", "ok/s", "p50 ms", "p99 ms", "failed/s", "lag ms", "left", "in all")
    found = Table(*heads, box=None)
    second = beat.second
    found.add_row(
        beat.window, beat.stage, f"{second.offered:,}", f"{beat.achieved:,}", f"{second.p50_ns / 1e6:.1f}",
        f"{second.p99_ns / 1e6:.1f}", f"{beat.failed:,}", f"{second.lag_ns / 1e6:.0f}", clock(beat.window_left_s),
        clock(beat.run_left_s),
    )  # fmt: skip
    return found


@contextmanager
def shown(console: Console, say: Callable[[str], None]) -> Iterator[Show]:
    """On a terminal the table stays at the bottom while what is said scrolls above it."""
    if not console.is_terminal:
        yield lines(say)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda beat: live.update(table(beat), refresh=True)
