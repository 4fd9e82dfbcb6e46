"""The open loop sends when a request is due, whatever became of the others, and says whose fault a late one was."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np

from loadgen.assignment import Second
from tests.loadgen.exchange import Exchange
from tests.loadgen.test_users import BASE, free_port, load

OPEN = msgspec.structs.replace(BASE, users=0, arrivals={"kind": "constant", "rate_per_s": 200.0}, in_flight_max=500)


def test_every_moment_of_the_schedule_becomes_one_request_and_each_second_says_so(tmp_path: Path) -> None:
    with Exchange() as server:
        loaded = load(tmp_path, msgspec.structs.replace(OPEN, port=server.port))
    assert loaded.outcomes() == {"ok": 400}
    intended = sorted(int(str(ack["intended_ns"])) for ack in loaded.acks)
    assert set(np.diff(intended)) <= set(range(4_999_990, 5_000_011))
    assert all(ack["intended_ns"] <= ack["sent_ns"] <= ack["answered_ns"] for ack in loaded.acks)  # type: ignore[operator]
    assert {ack["kind"] for ack in loaded.acks} == {"new", "cancel"}
    assert len({ack["client_order_id"] for ack in loaded.acks if ack["kind"] == "new"}) == len(
        [ack for ack in loaded.acks if ack["kind"] == "new"]
    )
    seconds = [report for report in loaded.reports if isinstance(report, Second)]
    assert sum(second.offered for second in seconds) == sum(second.sent for second in seconds) == 400
    assert 199 <= seconds[0].offered <= 200


def test_a_stall_of_the_server_is_in_the_latency_of_every_request_that_was_due_in_it(tmp_path: Path) -> None:
    with Exchange(lambda number: "stall" if number == 150 else "ok") as server:
        loaded = load(tmp_path, msgspec.structs.replace(OPEN, port=server.port, duration_s=2.5))
    waited_s = np.array([ack["answered_ns"] - ack["intended_ns"] for ack in loaded.acks]) / 1e9  # type: ignore[operator]
    assert loaded.outcomes() == {"ok": 600}
    assert abs(np.sum(waited_s > 0.5) - 100) < 30
    assert abs(np.sum(waited_s > 0.25) - 150) < 30
    assert loaded.receipts["late_ns"].max() < 900_000_000


def test_requests_that_find_all_places_taken_wait_at_the_systems_cost(tmp_path: Path) -> None:
    capped = msgspec.structs.replace(OPEN, in_flight_max=4, duration_s=2.5)
    with Exchange(lambda number: "stall" if number == 150 else "ok") as server:
        loaded = load(tmp_path, msgspec.structs.replace(capped, port=server.port))
    waited = loaded.receipts["sent_ns"] - loaded.receipts["intended_ns"]
    assert loaded.outcomes() == {"ok": 600}
    assert np.sum(waited > 500_000_000) > 80
    assert np.quantile(loaded.receipts["late_ns"], 0.95) < 100_000_000
    assert max(s.lag_ns for s in loaded.reports if isinstance(s, Second)) > 0
    assert max(s.in_flight for s in loaded.reports if isinstance(s, Second)) <= 4


def test_a_request_without_a_place_until_its_timeout_is_given_up_unsent(tmp_path: Path) -> None:
    silent = msgspec.structs.replace(OPEN, in_flight_max=3, timeout_s=0.4, duration_s=1.0)
    with Exchange(lambda number: "silent" if number > 50 else "ok") as server:
        loaded = load(tmp_path, msgspec.structs.replace(silent, port=server.port))
        asked = len(server.asked)
    told = loaded.outcomes()
    assert set(told) == {"ok", "timeout", "unsent"}
    assert told["ok"] == 50
    assert told["ok"] + told["timeout"] == asked
    assert sum(told.values()) == 300
    seconds = [report for report in loaded.reports if isinstance(report, Second)]
    assert (sum(s.offered for s in seconds), sum(s.sent for s in seconds)) == (300, asked)
    assert seconds[-1].in_flight == 0


def test_failures_are_told_apart_by_kind_in_the_open_loop_too(tmp_path: Path) -> None:
    kinds = {7: "503", 13: "504", 19: "reset", 25: "silent", 31: "429", 37: "close", 43: "422"}
    with Exchange(lambda number: kinds.get(number, "ok")) as server:
        loaded = load(tmp_path, msgspec.structs.replace(OPEN, port=server.port, timeout_s=1.5))
        asked = list(server.asked)
    assert loaded.outcomes() == {
        "http_503": 1, "http_504": 1, "reset": 1, "timeout": 1, "http_429": 1, "http_422": 1, "ok": 394,
    }  # fmt: skip
    assert max(Counter(str(one.body.get("client_order_id", one.path)) for one in asked).values()) == 1


def test_a_server_that_is_not_there_is_refused_and_the_schedule_goes_on(tmp_path: Path) -> None:
    loaded = load(tmp_path, msgspec.structs.replace(OPEN, port=free_port()))
    assert loaded.outcomes() == {"refused": 400}


def test_what_is_unanswered_when_it_is_stopped_is_abandoned(tmp_path: Path) -> None:
    endless = msgspec.structs.replace(OPEN, duration_s=600.0, timeout_s=300.0)
    with Exchange(lambda number: "silent" if number > 8 else "ok") as server:
        loaded = load(tmp_path, msgspec.structs.replace(endless, port=server.port), stop_after=3)
    assert loaded.outcomes()["ok"] == 8
    assert loaded.outcomes()["abandoned"] > 100
