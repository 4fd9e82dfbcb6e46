"""Planted limits: what was planted when is read back from the run alone."""

from __future__ import annotations

from typing import Any

import pytest

from loadgen.bench.locator import PLANTED_S, SESSION_MAX, campaign, proven_case, segments, sessions, to_be_proven
from loadgen.bench.planted import ACTIVE, CASES, HELD_OUT, SEVERITIES, STRANGE, active, chosen
from loadgen.prove import foresee

EVERY = range(SEVERITIES)


def test_every_session_is_a_sound_campaign_and_each_case_is_planted_in_each_of_its_severities() -> None:
    planned = sessions(CASES, EVERY, seed=1, parts=3)
    for session in planned:
        assert not campaign(session, 1).problems()
        assert len(session.plants) <= SESSION_MAX
    planted = [(case.name, severity) for session in planned for case, severity in session.plants]
    assert len(planted) == len(set(planted)) == sum(len(case.severities) for case in CASES)
    assert {session.setting.name for session in planned if session.parts} >= {"starved", "healthy_6_usual"}


def test_the_strange_cases_are_sound_and_no_part_of_the_benchmark() -> None:
    planned = sessions(chosen(["strange"]), [SEVERITIES // 2], seed=1, parts=3)
    assert [problem for session in planned for problem in campaign(session, 1).problems()] == []
    assert sum(len(session.plants) for session in planned) == len(STRANGE) >= 10
    assert not {case.name for case in STRANGE} & {case.name for case in chosen([])}


def test_a_run_tells_which_case_stood_in_it_when_and_what_was_calm_before_and_after() -> None:
    session = sessions(chosen(["ledger_slow_sync", "two_hot_row_gateway_quota"]), EVERY, seed=2, parts=3)[0]
    document = campaign(session, 2).model_dump(mode="json")
    events: list[dict[str, Any]] = []
    for timed in document["faults"]:
        struck_ns = round(timed["at_s"] * 1e9) + 50_000_000
        events.append({"t_ns": struck_ns, "kind": "struck"})
        events.append({"t_ns": struck_ns + round(timed["for_s"] * 1e9), "kind": "reverted"})
    found = segments(document, events, (0, round(session.duration_s * 1e9)))
    assert [(each.case, each.severity) for each in found] == list(session.plants)
    for each in found:
        before, planted, after = (each.parts_ns[part] for part in ("before", "planted", "after"))
        assert before[0] < before[1] < planted[0] < planted[1] < after[0] < after[1]
        assert planted[1] - planted[0] == pytest.approx((PLANTED_S - 1) * 1e9, rel=0.01)


def test_a_healthy_window_is_looked_at_in_parts_of_one_length() -> None:
    session = sessions(chosen(["healthy_6_usual"]), EVERY, seed=1, parts=4)[0]
    found = segments(campaign(session, 1).model_dump(mode="json"), [], (0, round(session.duration_s * 1e9)))
    assert len(found) == 4
    assert {each.case.truths for each in found} == {()}
    shorter = segments(campaign(session, 1).model_dump(mode="json"), [], (0, round((session.duration_s - 1) * 1e9)))
    assert len(shorter) == 3


def test_what_is_held_out_is_held_out_whole() -> None:
    assert len({truth for case in CASES if case.is_held_out for truth in case.truths} & HELD_OUT) >= 8
    with pytest.raises(ValueError, match="--cases names nonsense"):
        chosen(["nonsense"])


def test_a_limit_is_proven_by_no_lever_of_its_own_kind_and_the_run_tells_which_it_was() -> None:
    assert [case.name for case in active(chosen([]))] == list(ACTIVE)
    assert [case.name for case in active(chosen(["ledger_slow_sync"]))] == ["ledger_slow_sync"]
    for case in active(chosen([])):
        proof = to_be_proven(case, 1)
        foresee(proof)
        assert proof.prove
        assert not [lever for lever in proof.prove.levers if lever.endswith(("commit", "delay"))]
        assert proven_case(proof.model_dump(mode="json")) == case
    assert proven_case(campaign(sessions(CASES, EVERY, seed=1, parts=3)[0], 1).model_dump(mode="json")) is None
