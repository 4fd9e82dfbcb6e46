"""The noise meter hears the machine over exactly the window it was given, or until it is stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from loadgen.generator import GeneratorError
from loadgen.machine import disk_below, machine_facts
from loadgen.noise import NoiseMeter
from loadgen.sleeper import ClockPair, Hiccups
from loadgen.versions import versions
from tests.servers import wait_until


def test_what_others_use_is_told_from_what_is_the_labs(tmp_path: Path) -> None:
    spinning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    began_ns, spun = time.time_ns(), partial(cpu_seconds, spinning.pid)
    hour = began_ns, began_ns + 3_600 * 10**9, tmp_path / "log"
    try:
        with NoiseMeter(*hour, lambda: 0.0) as foreign, NoiseMeter(*hour, spun) as own:
            wait_until(lambda: spun() > 0.6, "it has spun")
    finally:
        spinning.kill()
        spinning.wait()
    cores_s = len(os.sched_getaffinity(0)) * (time.time_ns() - began_ns) / 1e9
    assert foreign.noise.foreign_share is not None
    assert own.noise.foreign_share is not None
    assert (foreign.noise.foreign_share - own.noise.foreign_share) * cores_s > 0.3
    assert foreign.noise.foreign_share <= foreign.noise.host_busy_share <= 1.0
    assert 0.0 <= own.noise.steal_share <= own.noise.host_busy_share <= 1.0


def cpu_seconds(pid: int) -> float:
    return sum(psutil.Process(pid).cpu_times()[:2])


def test_where_the_labs_own_is_not_accounted_nothing_is_said_of_others(tmp_path: Path) -> None:
    with NoiseMeter(time.time_ns(), time.time_ns() + 3_600 * 10**9, tmp_path / "log") as meter:
        pass
    assert meter.noise.foreign_share is None


def test_a_window_cut_short_ends_the_listening(tmp_path: Path) -> None:
    with NoiseMeter(time.time_ns(), time.time_ns() + 3_600 * 10**9, tmp_path / "log") as meter:
        pass
    assert meter.noise.hiccup_max_ns >= 0
    assert not psutil.pid_exists(meter.pid)


def test_a_sleeper_that_was_killed_is_said_with_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(GeneratorError, match="said nothing of the machine; the end of its log: nothing"),
        NoiseMeter(time.time_ns(), time.time_ns() + 3_600 * 10**9, tmp_path / "log") as meter,
    ):
        psutil.Process(meter.pid).kill()


def test_a_sleeper_that_stood_still_says_for_how_much_of_the_time(tmp_path: Path) -> None:
    """Held by a signal, for a machine cannot be: 60 ms after each fifty naps."""
    with NoiseMeter(time.time_ns(), time.time_ns() + 3_600 * 10**9, tmp_path / "log") as meter:
        sleeper = psutil.Process(meter.pid)
        for _ in range(5):
            hold(sleeper)
        by_time = os.sched_getscheduler(meter.pid) & os.SCHED_FIFO
    assert meter.noise.hiccup_max_ns >= 60_000_000
    assert 0 < meter.noise.hiccup_p50_ns <= meter.noise.hiccup_p99_ns <= meter.noise.hiccup_p99_9_ns
    assert meter.noise.hiccup_p99_9_ns <= meter.noise.hiccup_max_ns
    if by_time:
        assert meter.noise.hiccup_p99_ns > 20_000_000


def hold(sleeper: psutil.Process) -> None:
    naps = sleeper.num_ctx_switches()[0]
    wait_until(lambda: sleeper.num_ctx_switches()[0] > naps + 50, "it naps")
    sleeper.suspend()
    held_until_s = time.monotonic() + 0.06
    wait_until(lambda: time.monotonic() > held_until_s, "it was held")
    sleeper.resume()


@pytest.mark.parametrize(("by_time", "p99_ns"), [(True, 80_000_000), (False, 100_000)])
def test_a_pause_counts_by_the_time_that_it_took_where_no_load_makes_the_sleeper_late(
    by_time: bool, p99_ns: int
) -> None:
    hiccups = Hiccups(by_time=by_time)
    for _ in range(950):
        hiccups.add(100_000)
    hiccups.add(100_000_000)
    slept = hiccups.slept(0)
    assert slept.hiccup_p50_ns < 200_000
    assert slept.hiccup_p99_ns == pytest.approx(p99_ns, rel=0.05)  # 50 naps of 1,000 were swallowed
    assert slept.hiccup_max_ns == pytest.approx(100_000_000, rel=0.01)


def test_the_facts_of_this_machine_are_there(tmp_path: Path) -> None:
    facts = machine_facts(tmp_path, "not applied: a test")
    assert facts.cores >= 1
    assert facts.memory_bytes > 2**28
    assert facts.kernel
    assert " on " in facts.disk
    assert set(facts.fsync_per_s) >= {"fdatasync", "fsync"}
    assert all(rate > 0 for rate in facts.fsync_per_s.values())
    assert list(tmp_path.iterdir()) == []


def test_the_disk_of_a_path_is_the_one_mounted_closest_above_it() -> None:
    assert disk_below(Path("/proc/self")).startswith("proc on ")


def test_versions_name_servers_and_packages() -> None:
    found = versions(Path("engine/digest/engine"))
    assert {"postgres", "redis", "haproxy", "prometheus", "python", "locust"} <= set(found)
    assert (found["postgres"].split(".")[0], found["engine"]) == ("15", "digest")


def test_a_step_of_the_wall_clock_is_what_no_doubt_explains() -> None:
    before = ClockPair(offset_ns=1_000_000, doubt_ns=300)
    assert ClockPair(7_000_000, 500).step_ns(before) == 6_000_000 - 800
    assert ClockPair(-5_000_000, 500).step_ns(before) == 6_000_000 - 800
    assert ClockPair(1_000_700, 500).step_ns(before) == 0
