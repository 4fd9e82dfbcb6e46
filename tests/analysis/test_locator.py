"""The scores of the locator's bench, on rows whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.bottleneck import Status
from analysis.locator import BASELINES, Judged, Tried, scored

COMMIT, DELAY = ("ledger", "commit path"), ("network gateway-engine", "network delay")
RIGHT = Judged(
    case="ledger_slow_sync", severity=1, truths=(COMMIT,), is_held_out=False, hurts=True, heals=True, said="",
    status=Status.SUSPECTED, confidence=0.9, named=("ledger", "gateway"), named_mechanism="commit path",
    baselines=dict.fromkeys(BASELINES, "gateway"),
)  # fmt: skip
HEALTHY = replace(
    RIGHT, case="healthy", truths=(), status=Status.NO_LIMIT, confidence=None, named=(), named_mechanism="offered load"
)


def test_a_case_that_does_not_hurt_or_does_not_heal_is_dropped_and_named() -> None:
    found = scored([RIGHT, replace(RIGHT, case="mild", hurts=False), replace(RIGHT, case="scar", heals=False)], [], [])
    assert (found["cases"], found["kept"], found["dropped"]) == (3, 1, ["mild/1", "scar/1"])


def test_the_component_alone_is_top1_and_the_mechanism_counts_for_itself() -> None:
    found = scored(
        [RIGHT, replace(RIGHT, named_mechanism="locks"), replace(RIGHT, named=("gateway", "ledger"))], [], []
    )
    assert [found[name]["right"] for name in ("top1", "top3", "mechanism")] == [2, 3, 1]
    assert len(found["failures"]) == 2


def test_of_two_limits_at_once_either_may_be_named_and_both_belong_to_the_top3() -> None:
    both = replace(RIGHT, truths=(DELAY, COMMIT))
    found = scored([both, replace(both, named=("ledger", "network gateway-engine"))], [], [])
    assert [found[name]["right"] for name in ("top1", "top3", "mechanism")] == [2, 1, 2]


def test_an_accused_healthy_part_is_a_false_accusation_and_silence_about_it_is_right() -> None:
    found = scored([RIGHT, HEALTHY, replace(HEALTHY, status=Status.SUSPECTED, named=("gateway",))], [], [])
    assert (found["healthy"], found["false_accusations"]) == (2, 1)
    assert (found["abstention_precision"]["share"], found["abstention_recall"]["share"]) == (1.0, 0.5)


def test_what_was_held_out_is_scored_apart() -> None:
    found = scored([RIGHT, replace(RIGHT, is_held_out=True, named=("gateway",))], [], [])
    assert (found["tuned"]["top1"]["right"], found["held_out"]["top1"]["right"]) == (1, 0)
    assert found["by_case"] == {"ledger_slow_sync": "1 of 2"}


def test_briers_score_is_low_for_confidence_that_is_right_and_high_for_one_that_is_wrong() -> None:
    assert scored([RIGHT], [], [])["brier"] == pytest.approx(0.01)
    assert scored([replace(RIGHT, named=("redis",))], [], [])["brier"] == pytest.approx(0.81)
    assert scored([replace(RIGHT, truths=())], [], [])["brier"] == pytest.approx(0.81)


def test_a_verdict_that_states_no_confidence_has_no_briers_score() -> None:
    assert scored([replace(RIGHT, status=Status.PROVEN, confidence=None)], [], [])["brier"] is None


def test_an_interval_of_few_cases_is_wide_and_nothing_is_known_of_none() -> None:
    found = scored([RIGHT], [], [])
    assert found["top1"]["low"] < 0.3 < found["top1"]["high"] == 1.0
    assert found["proven_precision"]["share"] is None


def test_proven_is_right_where_what_was_proven_was_planted_and_says_nothing_of_what_was_not() -> None:
    right = Tried("ledger_slow_sync", ("ledger",), "", is_proven=True, is_right=True)
    wrong = replace(right, is_right=False)
    unproven = replace(right, is_proven=False)
    assert scored([], [right, wrong, unproven], [])["proven_precision"]["share"] == 0.5
