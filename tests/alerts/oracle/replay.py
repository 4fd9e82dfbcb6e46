"""Comparing what a scenario got with what AWS answered: `<...>` there stands for any text, each time the same.

A scenario is a function that talks to the front through boto3 and returns its answers under the recording's names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

RECORDED = Path(__file__).parent / "recorded"
HOLE = re.compile(r"<[A-Za-z0-9_ :.-]+>")
ANY = frozenset({"timestamp", "date", "connection", "content--length", "<md5-hash>", "<signature>", "<time-ms>"})
ACCOUNT = "123456789012"
RECORDED_ACCOUNT = "1" * 12
OWNERS = frozenset({"Owner", "AWSAccountId", "accountId", "AWS:SourceOwner"})
ABSENT = object()

Scenario = Callable[..., dict[str, Any]]
SCENARIOS: dict[str, Scenario] = {}


def scenario(*names: str) -> Callable[[Scenario], Scenario]:
    """The recordings that the function replays; with several, it is told which one by its variant in brackets."""

    def keep(function: Scenario) -> Scenario:
        for name in names:
            SCENARIOS[name] = function
        return function

    return keep


def recorded(file: str) -> dict[str, Any]:
    entries = json.loads((RECORDED / file).read_text())
    return {name: entry.get("recorded-content", entry) for name, entry in entries.items()}


def attempt(call: Callable[..., Any], **asked: Any) -> dict[str, Any]:
    """The answer, or the error as boto3 gives it, without what today's boto3 repeats beside it."""
    try:
        return dict(call(**asked))
    except ClientError as error:
        return {key: value for key, value in error.response.items() if key != "message"}


@dataclass
class Comparison:
    """Walks both documents; what a placeholder stood for once it has to stand for again."""

    bound: dict[str, str] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def compare(self, wanted: Any, got: Any, where: str) -> None:
        if isinstance(wanted, dict):
            self._compare_dict(wanted, got, where)
        elif isinstance(wanted, list):
            if not isinstance(got, list) or len(got) != len(wanted):
                self._differ(where, wanted, got)
                return
            for index, (one, other) in enumerate(zip(wanted, ordered(wanted, got), strict=True)):
                self.compare(one, other, f"{where}[{index}]")
        elif isinstance(wanted, str):
            self._compare_text(wanted, got, where)
        elif wanted != got:
            self._differ(where, wanted, got)

    def _compare_dict(self, wanted: dict[str, Any], got: Any, where: str) -> None:
        if isinstance(got, str):
            got = parsed(got)
        if not isinstance(got, dict):
            self._differ(where, wanted, got)
            return
        if "_normalized" in wanted:  # AWS's place in the text is left out, see filter_policy.py
            wanted = {k: v for k, v in wanted.items() if k not in ("_normalized", "Message")} | {
                "Message": wanted["_normalized"]
            }
        for key in wanted.keys() | (got.keys() - IGNORED):
            if key == "ResponseMetadata":
                self.compare(
                    {"HTTPStatusCode": wanted.get(key, {}).get("HTTPStatusCode", 200)},
                    {"HTTPStatusCode": got.get(key, {}).get("HTTPStatusCode", 200)},
                    f"{where}.{key}",
                )
            else:
                ours = got.get(key, ABSENT)
                self.compare(
                    wanted.get(key, ABSENT),
                    RECORDED_ACCOUNT if key in OWNERS and ours == ACCOUNT else ours,
                    f"{where}.{key}",
                )

    def _compare_text(self, wanted: str, got: Any, where: str) -> None:
        if wanted in ANY and got not in (ABSENT, None):
            return
        text = got.isoformat() if isinstance(got, datetime) else repr(got) if isinstance(got, bytes) else got
        if not isinstance(text, str):
            self._differ(where, wanted, got)
            return
        text = text.replace(f":{ACCOUNT}", f":{RECORDED_ACCOUNT}")
        names = HOLE.findall(wanted)
        pattern = "(.+?)".join(re.escape(part) for part in HOLE.split(wanted))
        match = re.fullmatch(pattern, text, re.DOTALL)
        if match is None:
            self._differ(where, wanted, got)
            return
        for name, value in zip(names, match.groups(), strict=True):
            if self.bound.setdefault(name, value) != value and name not in ANY:
                self._differ(where, f"{name} = {self.bound[name]}", value)

    def _differ(self, where: str, wanted: Any, got: Any) -> None:
        words = ["nothing" if each is ABSENT else json.dumps(each, default=repr)[:300] for each in (wanted, got)]
        self.found.append(f"{where.lstrip('.')}: AWS {words[0]}, here {words[1]}")


IGNORED = frozenset({"HTTPHeaders", "RetryAttempts", "MaxAttemptsReached", "RequestId"})


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def ordered(wanted: list[Any], got: list[Any]) -> list[Any]:
    """Standard queues promise no order; the recordings are sorted by the text of the body, so is this."""
    if not all(isinstance(item, dict) and "Body" in item for item in (*wanted, *got)):
        return got
    if any("SequenceNumber" in item.get("Attributes", {}) for item in got):
        return got
    places = [
        json.dumps(
            parsed(item["Body"]).get("Message")
            if isinstance(parsed(item["Body"]), dict) and "Message" in parsed(item["Body"])
            else parsed(item["Body"]),
            sort_keys=True,
        )
        for item in got
    ]
    texts = [
        json.dumps(
            item["Body"].get("Message")
            if isinstance(item["Body"], dict) and "Message" in item["Body"]
            else item["Body"],
            sort_keys=True,
        )
        for item in wanted
    ]
    left = list(zip(places, got, strict=True))
    out = []
    for text in texts:
        index = next((i for i, (place, _) in enumerate(left) if place == text), 0)
        out.append(left.pop(index)[1])
    return out


def differences(wanted: dict[str, Any], got: dict[str, Any]) -> list[str]:
    """Sentences, none where the front did as AWS."""
    comparison = Comparison()
    for name in wanted.keys() | got.keys():
        comparison.compare(wanted.get(name, ABSENT), got.get(name, ABSENT), name)
    return sorted(comparison.found)
