"""The noise meter hears the machine over exactly the window it was given, or until it is stopped."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from loadgen.machine import disk_below, machine_facts
from loadgen.noise import ClockPair, NoiseMeter
from loadgen.versions import versions


def test_a_busy_machine_is_seen_as_busy_and_shares_are_shares() -> None:
    until = time.monotonic() + 1.0
    spinning = threading.Thread(target=lambda: [None for _ in iter(lambda: time.monotonic() < until, False)])
    spinning.start()
    noise = NoiseMeter(time.time_ns(), time.time_ns() + 700_000_000).noise()
    spinning.join()
    assert 0.3 / len(os.sched_getaffinity(0)) < noise.host_busy_share <= 1.0
    assert 0.0 <= noise.steal_share <= 1.0
    assert 0 < noise.hiccup_p50_ns <= noise.hiccup_p99_9_ns <= noise.hiccup_max_ns


def test_a_window_cut_short_ends_the_listening() -> None:
    meter = NoiseMeter(time.time_ns(), time.time_ns() + 3_600 * 10**9)
    meter.stop()
    assert meter.noise().hiccup_max_ns >= 0


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
