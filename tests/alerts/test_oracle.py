"""What AWS itself answered, replayed through boto3 against the front; and the comparison's own eyesight."""

from __future__ import annotations

import copy
import json

import pytest

from tests.alerts.oracle.all_scenarios import judged
from tests.alerts.oracle.justified import JUSTIFIED
from tests.alerts.oracle.replay import differences, recorded
from tests.alerts.stand import Stand


@pytest.mark.slow
def test_the_front_differs_from_aws_only_where_a_reason_is_written_down(stand: Stand) -> None:
    found = judged(stand)
    print(json.dumps(found, indent=1))
    assert {each["scenario"]: each["said"] for each in found["differences"] if each["scenario"] not in JUSTIFIED} == {}
    assert {each["scenario"] for each in found["differences"]} == set(JUSTIFIED), "a reason is no longer needed"
    assert found["agree"] / found["scenarios"] >= 0.9


def test_the_comparison_sees_a_changed_text_a_missing_field_and_one_too_many() -> None:
    name = "test_sns.py::TestSNSTopicCrudV2::test_add_permission_errors"
    wanted = recorded("sns.json")[name]
    assert differences(wanted, wanted) == []
    for change in ("text", "missing", "more"):
        got = copy.deepcopy(wanted)
        error = got["duplicate-label"]["Error"]
        if change == "text":
            error["Message"] += "."
        elif change == "missing":
            del error["Type"]
        else:
            error["Hint"] = "x"
        assert len(differences(wanted, got)) == 1, change


def test_a_placeholder_stands_for_the_same_text_each_time() -> None:
    wanted = {"a": {"Id": "<uuid:1>"}, "b": {"Id": "<uuid:1>"}}
    assert differences(wanted, {"a": {"Id": "x"}, "b": {"Id": "x"}}) == []
    assert len(differences(wanted, {"a": {"Id": "x"}, "b": {"Id": "y"}})) == 1
