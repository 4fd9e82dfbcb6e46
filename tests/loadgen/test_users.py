"""The generator, as the process it is, against a real server: what it sends, what it notes, when it stops."""

from __future__ import annotations

import resource
import socket
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hdrh.histogram import HdrHistogram

from loadgen.assignment import Assignment, Ended, Report, Second, Started, Trading
from loadgen.generator import Generator, GeneratorError
from loadgen.latency import Receipts, acknowledgements, histograms, read_receipts
from loadgen.receipts import OK
from loadgen.seal import RunNotWrittenError
from tests.loadgen.exchange import Exchange

BASE = Assignment(
    host="127.0.0.1", port=1, users=4, think_time_s=0.02, arrivals=None, in_flight_max=100, warm_up_s=0.5,
    duration_s=1.5, timeout_s=5.0, seed=3,
    id_prefix="t-0", trading=(Trading(1, "key-1"), Trading(2, "key-2")), symbols=("AAPL", "IBM"),
    add=0.6, cancel=0.25, take=0.15, receipts="",
)  # fmt: skip


@dataclass(frozen=True)
class Loaded:
    reports: list[Report]
    acks: list[dict[str, object]]
    latency: list[dict[str, object]]
    receipts: Receipts

    def outcomes(self) -> Counter[object]:
        return Counter(ack["outcome"] for ack in self.acks)


def load(tmp_path: Path, assignment: Assignment, stop_after: int | None = None) -> Loaded:
    file = tmp_path / "receipts"
    told = msgspec.structs.replace(assignment, receipts=str(file))
    reports = []
    with Generator(told, lambda _: None, tmp_path / "log") as generator:
        for report in generator:
            reports.append(report)
            if stop_after is not None and len(reports) == stop_after:
                generator.stop()
    receipts = read_receipts(file)
    started = reports[0]
    assert isinstance(started, Started)
    return Loaded(
        reports,
        acknowledgements("w", told.id_prefix, receipts).to_pylist(),
        histograms("w", started.measured_from_ns, receipts),
        receipts,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_every_request_that_the_server_saw_has_one_receipt_with_what_it_was_told(tmp_path: Path) -> None:
    with Exchange() as server:
        loaded = load(tmp_path, msgspec.structs.replace(BASE, port=server.port))
        asked = list(server.asked)
    assert len(asked) > 20
    placed = [one.body["client_order_id"] for one in asked if one.method == "POST"]
    assert sorted(placed) == sorted(ack["client_order_id"] for ack in loaded.acks if ack["kind"] == "new")
    cancelled = [one.path.rpartition("/")[2] for one in asked if one.method == "DELETE"]
    assert sorted(cancelled) == sorted(str(ack["order_id"]) for ack in loaded.acks if ack["kind"] == "cancel")
    assert loaded.outcomes() == {"ok": len(asked)}
    assert sorted(ack["sequence"] for ack in loaded.acks) == list(range(1, len(asked) + 1))
    assert {(one.key, one.body["client_order_id"].split("-")[2]) for one in asked if one.method == "POST"} <= {
        ("key-1", "0"), ("key-2", "1"), ("key-1", "2"), ("key-2", "3"),
    }  # fmt: skip


def test_a_second_of_progress_comes_each_second_and_they_add_up(tmp_path: Path) -> None:
    with Exchange() as server:
        loaded = load(tmp_path, msgspec.structs.replace(BASE, port=server.port))
    seconds = [report for report in loaded.reports if isinstance(report, Second)]
    assert sum(second.requests for second in seconds) == len(loaded.acks)
    assert sum(second.outcomes.get("ok", 0) for second in seconds) == len(loaded.acks)
    assert {b.t_ns - a.t_ns for a, b in pairwise(seconds)} == {10**9}
    assert seconds[-1].in_flight == 0
    started, ended = loaded.reports[0], loaded.reports[-1]
    assert isinstance(started, Started)
    assert seconds[0].t_ns == started.started_ns
    assert started.measured_until_ns - started.measured_from_ns == 1_500_000_000
    assert isinstance(ended, Ended)
    assert ended.is_whole


def test_think_time_passes_between_an_answer_and_the_next_intended_send(tmp_path: Path) -> None:
    with Exchange() as server:
        loaded = load(tmp_path, msgspec.structs.replace(BASE, port=server.port, users=1))
    pairs = list(pairwise(loaded.acks))
    assert len(pairs) > 5
    assert {later["intended_ns"] - earlier["answered_ns"] for earlier, later in pairs} == {20_000_000}
    assert all(ack["intended_ns"] <= ack["sent_ns"] <= ack["answered_ns"] for ack in loaded.acks)


def test_a_stall_of_the_server_costs_each_user_one_long_request(tmp_path: Path) -> None:
    with Exchange(lambda number: "stall" if number == 40 else "ok") as server:
        loaded = load(tmp_path, msgspec.structs.replace(BASE, port=server.port, duration_s=2.5))
    long = [ack for ack in loaded.acks if ack["answered_ns"] - ack["intended_ns"] >= 900_000_000]
    assert len(long) == BASE.users
    recorded = [row["count"] for row in loaded.latency if row["measure"] == "latency"]
    assert sum(recorded) == len(loaded.acks)
    slowest = max(HdrHistogram.decode(row["histogram"]).get_max_value() for row in loaded.latency)
    assert slowest >= 990_000_000


def test_failures_are_told_apart_by_kind_and_none_is_sent_again(tmp_path: Path) -> None:
    kinds = {7: "503", 13: "504", 19: "reset", 25: "silent", 31: "429", 37: "close", 43: "422"}
    with Exchange(lambda number: kinds.get(number, "ok")) as server:
        loaded = load(tmp_path, msgspec.structs.replace(BASE, port=server.port, timeout_s=1.5, duration_s=2.5))
        asked = list(server.asked)
    told = loaded.outcomes()
    assert told == {
        "http_503": 1, "http_504": 1, "reset": 1, "timeout": 1, "http_429": 1, "http_422": 1, "ok": len(asked) - 6,
    }  # fmt: skip
    assert max(Counter(str(one.body.get("client_order_id", one.path)) for one in asked).values()) == 1


def test_a_server_that_is_not_there_is_refused_not_in_doubt(tmp_path: Path) -> None:
    loaded = load(tmp_path, msgspec.structs.replace(BASE, port=free_port()))
    assert set(loaded.outcomes()) == {"refused"}
    assert BASE.users <= len(loaded.acks) < BASE.users * 40


def test_the_same_seed_sends_the_same_orders(tmp_path: Path) -> None:
    def orders(folder: Path) -> list[dict[str, object]]:
        folder.mkdir()
        with Exchange() as server:
            load(folder, msgspec.structs.replace(BASE, port=server.port, users=1, cancel=0.0, add=0.85))
            return [one.body for one in server.asked]

    first, second = orders(tmp_path / "1"), orders(tmp_path / "2")
    both = min(len(first), len(second))
    assert both > 10
    assert first[:both] == second[:both]


def test_it_stops_when_the_lab_closes_its_input_and_says_that_it_was_cut_short(tmp_path: Path) -> None:
    with Exchange() as server:
        endless = msgspec.structs.replace(BASE, port=server.port, duration_s=600.0)
        loaded = load(tmp_path, endless, stop_after=2)
        asked = len(server.asked)
    ended = loaded.reports[-1]
    assert isinstance(ended, Ended)
    assert not ended.is_whole
    assert len(loaded.acks) >= asked


def test_requests_unanswered_at_the_end_are_noted_as_abandoned(tmp_path: Path) -> None:
    with Exchange(lambda number: "silent" if number > 8 else "ok") as server:
        hanging = msgspec.structs.replace(BASE, port=server.port, duration_s=600.0, timeout_s=300.0)
        loaded = load(tmp_path, hanging, stop_after=3)
    assert loaded.outcomes()["abandoned"] == BASE.users


def test_a_shells_low_limit_of_descriptors_is_none_of_the_users(tmp_path: Path) -> None:
    receipts = tmp_path / "receipts"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Exchange() as server:
        told = msgspec.structs.replace(BASE, port=server.port, users=80, receipts=str(receipts))
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        try:
            generator = Generator(told, lambda _: None, tmp_path / "log")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        with generator:
            list(generator)
    assert set(read_receipts(receipts)["outcome"]) == {OK}


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with Exchange() as server:
        told = msgspec.structs.replace(BASE, port=server.port, receipts="/dev/full")
        with (
            pytest.raises(RunNotWrittenError, match=r"'/dev/full': the disk is full"),
            Generator(told, lambda _: None, tmp_path / "log") as generator,
        ):
            list(generator)


def test_a_generator_that_dies_is_said_with_the_end_of_its_log(tmp_path: Path) -> None:
    nobody = msgspec.structs.replace(BASE, trading=(), receipts=str(tmp_path / "receipts"))
    with pytest.raises(GeneratorError), Generator(nobody, lambda _: None, tmp_path / "log") as generator:
        list(generator)
