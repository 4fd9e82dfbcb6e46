"""A log has a bound, and its writer notices nothing."""

from __future__ import annotations

from pathlib import Path

from deploy.local.logs import keep_bounded


def test_a_log_beyond_its_bound_is_moved_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "gateway-1.jsonl"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"long ago\n")
        keep_bounded(tmp_path, bytes_max=5)
        writer.write(b"now\n")
    assert (log.read_text(), (tmp_path / "gateway-1.jsonl.1").read_text()) == ("now\n", "long ago\n")


def test_a_log_within_its_bound_stays(tmp_path: Path) -> None:
    (tmp_path / "engine.jsonl").write_text("short\n")
    keep_bounded(tmp_path, bytes_max=6)
    assert [path.name for path in tmp_path.iterdir()] == ["engine.jsonl"]
