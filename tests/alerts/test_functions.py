"""Functions on AWS's own runtime client, asked through boto3: results, exceptions, timeouts, deaths, and new starts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.alerts.oracle.aws import Aws


def invoke(aws: Aws, name: str, event: dict[str, Any]) -> tuple[Any, str | None]:
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def test_a_handler_returns_and_knows_its_request_and_its_deadline(aws: Aws) -> None:
    result, error = invoke(aws, "note", {"Records": []})
    assert error is None
    assert len(result["request"]) == 36
    assert 0 < result["left_ms"] <= 3_000


def test_an_exception_is_given_back_with_its_class_and_the_process_goes_on(aws: Aws) -> None:
    result, error = invoke(aws, "fail", {})
    assert (error, result["errorType"], result["errorMessage"]) == (
        "Unhandled",
        "RuntimeError",
        "Test exception (this is intentional)",
    )


@pytest.mark.parametrize(("do", "said"), [("hang", "Task timed out after 2.00 seconds"), ("die", "Runtime exited")])
def test_what_hangs_or_dies_is_ended_and_the_next_event_finds_a_new_process(aws: Aws, do: str, said: str) -> None:
    before, _ = invoke(aws, "misbehave", {})
    result, error = invoke(aws, "misbehave", {"do": do})
    assert error == "Unhandled"
    assert said in result["errorMessage"]
    after, _ = invoke(aws, "misbehave", {})
    assert after["pid"] != before["pid"]


def test_a_function_that_is_not_there_is_not_found(aws: Aws) -> None:
    with pytest.raises(aws.client("lambda").exceptions.ResourceNotFoundException):
        invoke(aws, "nobody", {})
