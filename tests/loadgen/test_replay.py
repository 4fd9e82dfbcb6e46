"""A recording is refused with every fault and its line, or played in its time, cancels under our names."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from loadgen.arrivals import parsed, rate_per_s, schedule
from loadgen.assignment import Second
from loadgen.recording import RecordingError, Type, read
from target_system.orders import cancel_identity
from tests.loadgen.exchange import Asked, Exchange
from tests.loadgen.test_open_loop import OPEN
from tests.loadgen.test_users import load

REPLAYED = msgspec.structs.replace(OPEN, warm_up_s=0.0, timeout_s=10.0)
SPEED = 0.55
"""At which an order of `GOOD` has 0.7 s to be answered before its cancel, and all is sent within the window."""
GOOD = """\
34200.000,1,11,5,1000100,1
34200.100,1,12,7,1000300,-1
34200.200,2,11,2,1000100,1
34200.500,3,11,5,1000100,1
34200.600,4,12,7,1000300,-1
34200.700,3,99,5,1000100,1
34201.000,1,13,3,1000200,1
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recording.csv"
    path.write_text(text)
    return path


def test_what_has_a_counterpart_is_played_and_the_rest_is_left_out(tmp_path: Path) -> None:
    messages = read(written(tmp_path, GOOD))
    assert [(m.type, m.order_id) for m in messages] == [
        (Type.NEW, 11), (Type.NEW, 12), (Type.DELETION, 11), (Type.EXECUTION, 12), (Type.NEW, 13),
    ]  # fmt: skip
    assert (messages[0].price_ticks, messages[0].lots, messages[0].side) == (10_001, 5, "buy")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "34200.500,3",
            "34100.500,3",
            "recording.csv:4: time runs backwards, from 34200.2 to 34100.500; sort the rows",
        ),
        ("34200.100,1,12,7,1000300,-1", "34200.100,1,12", "recording.csv:2: has 3 fields; a row is time, type"),
        ("34200.100,1", "34200.100,9", "recording.csv:2: has type 9; use 1 to 7"),
        ("12,7,1000300,-1", "12,-7,1000300,-1", "recording.csv:2: has a negative time, no size or a direction"),
        ("12,7", "12,many", "recording.csv:2: is no row of numbers"),
    ],
)
def test_a_bad_row_is_said_with_its_line_and_what_to_do(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(RecordingError) as caught:
        read(written(tmp_path, GOOD.replace(old, new, 1)))
    assert said in str(caught.value)


def test_a_file_that_is_not_there_or_holds_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        read(tmp_path / "nothing.csv")
    with pytest.raises(RecordingError, match="holds nothing that can be replayed"):
        read(written(tmp_path, "1,7,0,0,-1,-1\n"))


def test_speed_divides_the_gaps(tmp_path: Path) -> None:
    file = str(written(tmp_path, GOOD))
    for speed in (1, 4):
        kind = parsed({"kind": "replay", "file": file, "speed": speed})
        moments_s = np.concatenate(list(schedule(kind, 1, 0, 60))) / 1e9
        assert moments_s * speed == pytest.approx([0, 0.1, 0.5, 0.6, 1.0])
    assert rate_per_s(kind, 1, 0, 0.2) == 4 / 0.2


def test_the_rate_is_that_of_the_measured_part_alone(tmp_path: Path) -> None:
    kind = parsed({"kind": "replay", "file": str(written(tmp_path, GOOD))})
    assert rate_per_s(kind, 1, 0.5, 0.3) == 2 / 0.3


def test_it_sends_the_recorded_orders_in_their_time_and_cancels_them_by_our_names(tmp_path: Path) -> None:
    kind = {"kind": "replay", "file": str(written(tmp_path, GOOD)), "speed": SPEED}
    replayed = msgspec.structs.replace(REPLAYED, arrivals=kind, duration_s=2.0)
    with Exchange() as server:
        loaded = load(tmp_path, msgspec.structs.replace(replayed, port=server.port))
        asked = {name_of(one): one for one in server.asked}
        arrived = list(asked)
    assert loaded.outcomes() == {"ok": 5}
    acks = sorted(loaded.acks, key=lambda ack: int(str(ack["intended_ns"])))
    in_time = [asked[str(ack["client_order_id"])] for ack in acks]
    assert [(one.method, one.body.get("side"), one.body.get("quantity_lots")) for one in in_time] == [
        ("POST", "buy", 5), ("POST", "sell", 7), ("DELETE", None, None), ("POST", "buy", 7), ("POST", "buy", 3),
    ]  # fmt: skip
    assert in_time[2].path == f"/v1/orders/{arrived.index(name_of(in_time[0])) + 1}"
    assert in_time[2].key == in_time[0].key
    assert in_time[3].key != in_time[1].key
    gaps = np.diff(np.sort(loaded.receipts["intended_ns"])) / 1e9
    assert gaps * SPEED == pytest.approx([0.1, 0.4, 0.1, 0.4], abs=1e-6)


def name_of(asked: Asked) -> str:
    """The client order id; of a cancel the one that the ledger gives it."""
    return str(asked.body.get("client_order_id") or cancel_identity(int(asked.path.rpartition("/")[2])))


def test_a_cancel_that_is_due_before_its_orders_answer_is_noted_as_unplayable(tmp_path: Path) -> None:
    file = str(written(tmp_path, "1.0,1,11,5,1000100,1\n1.0,3,11,5,1000100,1\n"))
    replayed = msgspec.structs.replace(REPLAYED, arrivals={"kind": "replay", "file": file})
    with Exchange() as server:
        loaded = load(tmp_path, msgspec.structs.replace(replayed, port=server.port))
    assert loaded.outcomes() == {"ok": 1, "unplayable": 1}
    seconds = [report for report in loaded.reports if isinstance(report, Second)]
    assert (sum(second.sent for second in seconds), seconds[-1].in_flight) == (1, 0)
