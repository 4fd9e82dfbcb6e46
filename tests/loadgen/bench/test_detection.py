"""The figures of the bench of detection, from delays made by hand; tests/deploy/test_cluster.py plants a real step."""

from __future__ import annotations

import pytest

from loadgen.bench.detection import Delays


@pytest.mark.parametrize(("late", "is_within"), [(1, True), (2, False)])
def test_of_twenty_steps_one_may_be_seen_late(late: int, is_within: bool) -> None:
    delays = Delays([0.5] * (20 - late) + [float("inf")] * late)
    assert delays.is_within_goal is is_within
    told = delays.document()
    assert (told["p50_s"], told["max_s"], told["unseen"]) == (0.5, None, late)
