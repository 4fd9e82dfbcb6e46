"""A campaign says beforehand what it will do: every window, its load and the time in all."""

from __future__ import annotations

from pathlib import Path

from loadgen.assignment import Second
from loadgen.campaign import Campaign
from loadgen.live import Beat, line, table
from loadgen.outlook import left_s, outlook, text

OPEN = """\
name: tiny
title: Two rates
topology: unbounded
sweep:
  load.arrivals.rate_per_s: [100, 200]
load:
  arrivals: {kind: constant, rate_per_s: 50}
  warm_up_s: 1
  duration_s: 10
order: listed
"""


def campaign(tmp_path: Path, text: str = OPEN) -> Campaign:
    path = tmp_path / "tiny.yaml"
    path.write_text(text)
    return Campaign.read(path)


def test_the_plan_has_every_window_with_its_arrivals_and_the_time_in_all(tmp_path: Path) -> None:
    plan = outlook(campaign(tmp_path))
    assert [(line.window, line.rate_per_s, line.requests) for line in plan.lines] == [
        ("arrivals.rate_per_s=100/1", 100, 1100),
        ("arrivals.rate_per_s=200/1", 200, 2200),
    ]
    assert plan.under_load_s == 22 < plan.total_s
    assert "2 windows, 22 s under load" in text(plan)[-1]


def test_a_closed_loop_has_users_and_no_arrivals(tmp_path: Path) -> None:
    closed = OPEN.replace("load.arrivals.rate_per_s: [100, 200]", "load.users: [5, 10]").replace(
        "arrivals: {kind: constant, rate_per_s: 50}", "users: 1"
    )
    assert [(line.users, line.requests) for line in outlook(campaign(tmp_path, closed)).lines] == [
        (5, None),
        (10, None),
    ]


def test_nothing_is_left_after_the_last_window(tmp_path: Path) -> None:
    plan = campaign(tmp_path).plan()
    assert left_s(plan, 1) == 0 < left_s(plan, 0)


def test_a_second_of_load_is_told_as_a_line_and_as_a_row() -> None:
    second = Second(
        t_ns=0, requests=100, outcomes={"ok": 97, "timeout": 3}, offered=120, sent=110, lag_ns=250_000_000,
        p50_ns=4_000_000, p99_ns=90_000_000, in_flight=20, cpu_seconds=0.1, busiest_cpu_seconds=0.1,
        wake_lag_p99_ns=0, schedule_error_p99_ns=0,
    )  # fmt: skip
    beat = Beat("base/1", "measuring", second, 5, 12.0, 70.0)
    assert line(beat).split(": ", 1)[1] == (
        "120 offered, 97 ok, p50 4.0 ms, p99 90.0 ms, 3 failed, lag 250 ms, 12 s left, 1 min 10 s in all"
    )
    cells = [next(iter(column.cells)) for column in table(beat).columns]
    assert cells == ["base/1", "measuring", "120", "97", "4.0", "90.0", "3", "250", "12 s", "1 min 10 s"]
