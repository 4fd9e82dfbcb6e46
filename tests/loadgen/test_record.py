"""A sealed run gives back what went in, and one that was touched is refused with the name of the file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from loadgen.manifest import DamagedRunError, RunError
from loadgen.record import Run
from loadgen.seal import RunNotWrittenError, RunWriter
from tests.loadgen.synthetic import Series, write_run


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    return write_run(
        tmp_path,
        {1: 50.0, 2: 90.0},
        repetitions=2,
        errors={"http_503": 3},
        series=[
            Series("engine_cpu_seconds_total", "engine", lambda _, second: second * 0.25),
            Series("gateway_pool", "gateway", lambda window, _: window.position, instance="2", labels={"pool": "pg"}),
        ],
        events=[{"kind": "died", "component": "gateway"}],
    )


def test_windows_come_back_in_the_order_as_run_with_their_parameters(sealed: Path) -> None:
    run = Run.open(sealed)
    assert [window.name for window in run.windows] == ["gateways=1/1", "gateways=2/1", "gateways=1/2", "gateways=2/2"]
    assert run.windows[1].parameters == {"gateways": 2}
    assert run.windows[0].duration_s == 10.0
    assert [w.name for w in run.configurations()["gateways=2"]] == ["gateways=2/1", "gateways=2/2"]


def test_throughput_counts_only_what_was_answered_ok_in_the_measured_interval(sealed: Path) -> None:
    run = Run.open(sealed)
    assert run.throughput("gateways=1/1") == pytest.approx(50.0)
    assert run.outcomes("gateways=2/2") == {"ok": 900, "http_503": 3}


def test_of_what_was_due_in_the_measured_interval_every_end_counts_but_those_that_nobody_waited_for(
    tmp_path: Path,
) -> None:
    """What was due before it, and was answered in it, does not: with 100/s and some 3 s each about 300."""
    run = Run.open(write_run(tmp_path, {1: 100}, latency_ms=3_000, errors={"timeout": 40, "abandoned": 10}))
    ended, fates = run.outcomes("gateways=1/1"), run.fates("gateways=1/1")
    assert ended == {"ok": 1_000, "timeout": 40, "abandoned": 10}
    assert 600 < fates["ok"] < 800
    assert fates.keys() == {"ok", "timeout"}


def test_errors_do_not_enter_the_latency_unless_asked_for(sealed: Path) -> None:
    run = Run.open(sealed)
    ok, errors = run.latency("gateways=1/1"), run.latency("gateways=1/1", outcome="http_503")
    everything = run.latency("gateways=1/1", outcome=None)
    assert everything.get_total_count() == ok.get_total_count() + errors.get_total_count()
    assert 0 < errors.get_total_count() <= 3
    assert 5e6 < ok.get_value_at_percentile(50) < 20e6
    assert run.latency(run.windows[0], measure="service").get_mean_value() < ok.get_mean_value()
    assert run.latency(endpoint="DELETE /v1/orders/{id}").get_total_count() == 0


def test_series_come_back_as_scraped_with_a_column_for_each_label(sealed: Path) -> None:
    run = Run.open(sealed)
    engine = run.series("engine_cpu_seconds_total", "gateways=1/1", component="engine")
    assert list(engine["value"]) == [second * 0.25 for second in range(13)]
    pool = run.series("gateway_pool")
    assert set(pool["pool"]) == {"pg"}
    assert set(pool["value"]) == {0.0, 1.0, 2.0, 3.0}
    assert run.series("nothing_total").empty
    assert run.metrics == {"engine_cpu_seconds_total", "gateway_pool"}


def test_documents_come_back(sealed: Path) -> None:
    run = Run.open(sealed)
    assert run.campaign["load"]["users"] == 40
    assert run.machine.cores == 2
    assert run.machine.same_kind(run.machine)
    assert (run.status, run.valid, run.reasons, run.seed) == ("complete", True, (), 1)
    assert run.events == ({"kind": "died", "component": "gateway"},)
    assert len(run.acks) == 2 * (503 + 903)
    assert set(run.noise["window"]) == set(run.topologies)


@pytest.mark.parametrize("name", ["acks.parquet", "campaign.yaml", "run.json", "events.jsonl", "series.parquet"])
def test_one_changed_byte_is_found_and_the_file_named(sealed: Path, name: str) -> None:
    content = bytearray((sealed / name).read_bytes())
    content[len(content) // 2] ^= 1
    (sealed / name).write_bytes(content)
    with pytest.raises(DamagedRunError, match=f"not as it was sealed: {name} has other content"):
        Run.open(sealed)


def test_missing_and_shortened_files_are_all_named_at_once(sealed: Path) -> None:
    (sealed / "noise.parquet").unlink()
    (sealed / "versions.json").write_text("{}")
    with pytest.raises(DamagedRunError, match=r"noise\.parquet is missing; versions\.json has 2 bytes instead of"):
        Run.open(sealed)


def test_an_edited_manifest_is_found(sealed: Path) -> None:
    manifest = json.loads((sealed / "manifest.json").read_text())
    manifest["status"] = "aborted"
    (sealed / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedRunError, match=r"manifest\.json: .*its digest does not fit"):
        Run.open(sealed)


def test_an_unknown_format_is_said_before_anything_else(sealed: Path) -> None:
    (sealed / "manifest.json").write_text('{"format": 7}')
    with pytest.raises(RunError, match=r"unknown format 7 \(this version reads 1 to 3\)"):
        Run.open(sealed)


def test_a_folder_without_a_manifest_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a sealed run"):
        Run.open(tmp_path)


def test_a_run_is_not_written_twice(sealed: Path) -> None:
    with pytest.raises(RunNotWrittenError, match="exists already"):
        RunWriter(sealed.parent, sealed.name)


def test_a_run_left_before_its_seal_leaves_nothing(tmp_path: Path) -> None:
    with RunWriter(tmp_path, "20261121T081500Z-quick") as writer:
        writer.write("campaign.yaml", "name: quick")
        assert not (tmp_path / "20261121T081500Z-quick").exists()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    (tmp_path / ".killed.partial" / "scratch").mkdir(parents=True)
    with RunWriter(tmp_path, "living") as living, RunWriter(tmp_path, "other"):
        assert sorted(path.name for path in tmp_path.iterdir()) == [".living.partial", ".other.partial"]
        living.write("campaign.yaml", "still there")


@pytest.mark.parametrize("name", ["campaign.yaml", "series.parquet"])
def test_a_disk_that_fills_up_is_said_in_one_sentence_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    noise = [{"window": str(number), "t_ns": number, "value": float(number)} for number in range(10_000)]
    with RunWriter(tmp_path, "full") as writer:
        (writer.folder / name).symlink_to("/dev/full")
        with pytest.raises(RunNotWrittenError, match=r"the disk is full; make room .*Nothing was sealed"):
            writer.write(name, "x" * 10**6) if name.endswith("yaml") else writer.append("series", noise)
    assert list(tmp_path.iterdir()) == []


def test_a_nearly_full_disk_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=55 * 1024**2))
    with pytest.raises(RunNotWrittenError, match="has 55 MiB free, a run needs 64"):
        RunWriter(tmp_path, "full")
    assert list(tmp_path.iterdir()) == []
