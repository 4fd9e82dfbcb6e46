"""Run-queue delays, read from a tree of files like /proc."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

from deploy.local.run_queue import RunQueueDelays


def thread(proc: Path, pid: int, tid: int, waited_ns: int) -> Path:
    folder = proc / str(pid) / "task" / str(tid)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "schedstat").write_text(f"1000 {waited_ns} 7\n")
    return folder


def test_the_delays_of_all_threads_of_a_part_are_summed(tmp_path: Path) -> None:
    thread(tmp_path, 10, 10, 300)
    thread(tmp_path, 10, 11, 40)
    thread(tmp_path, 12, 12, 5)
    assert RunQueueDelays(tmp_path).look("engine", [10, 12]) == 345


def test_a_thread_that_ends_takes_nothing_away_and_a_new_one_adds(tmp_path: Path) -> None:
    delays = RunQueueDelays(tmp_path)
    ending = thread(tmp_path, 10, 11, 40)
    thread(tmp_path, 10, 10, 300)
    delays.look("ledger", [10])
    rmtree(ending)
    thread(tmp_path, 10, 10, 310)
    thread(tmp_path, 10, 13, 2)
    assert delays.look("ledger", [10]) == 352


def test_a_process_that_has_ended_is_passed_over(tmp_path: Path) -> None:
    assert RunQueueDelays(tmp_path).look("redis", [99]) == 0
