"""The recording that is shipped: made by us, the same each time, playable."""

from __future__ import annotations

import csv
from pathlib import Path

from loadgen import recording
from loadgen.sample_recording import session

SHIPPED = Path(__file__).parents[2] / "loadgen" / "campaigns" / "recordings" / "session.csv"


def test_the_shipped_recording_is_what_its_seed_gives() -> None:
    with SHIPPED.open(newline="") as file:
        assert [tuple(row) for row in csv.reader(file)] == [tuple(map(str, row)) for row in session(1, 30.0)]


def test_every_row_of_it_can_be_replayed() -> None:
    assert len(recording.read(SHIPPED)) == len(SHIPPED.read_text().splitlines())
