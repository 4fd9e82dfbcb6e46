"""The figures of the bench of detection, from delays made by hand; tests/deploy/test_cluster.py plants a real step."""

from __future__ import annotations

import httpx
import pytest

from loadgen.bench.detection import Delays, Means


@pytest.mark.parametrize(("late", "is_within"), [(1, True), (2, False)])
def test_of_twenty_steps_one_may_be_seen_late(late: int, is_within: bool) -> None:
    delays = Delays([0.5] * (20 - late) + [float("inf")] * late)
    assert delays.is_within_goal is is_within
    told = delays.document()
    assert (told["p50_s"], told["max_s"], told["unseen"]) == (0.5, None, late)


def test_a_step_shows_although_the_machine_was_held_while_the_calm_was_measured() -> None:
    said_s = iter([0.06, 0.09, 0.005, 0.055])

    def answered(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": {"result": [{"value": [0, str(next(said_s))]}]}})

    means = Means(httpx.Client(base_url="http://prometheus", transport=httpx.MockTransport(answered)))
    assert (means.is_slow(), means.is_slow(), means.is_calm(), means.is_slow()) == (False, True, True, True)
