"""The rules of composite alarms: `ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA("arn:..."))`, TRUE and FALSE. Pure.

AND binds tighter than OR, NOT tighter than both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from alerts.aws.errors import AwsError
from alerts.cloudwatch.alarm import State

TOKEN = re.compile(
    r'\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]+)"|(?P<bare>[^\s()"]+))\s*\)'
    r"|(?P<word>AND\b|OR\b|NOT\b|TRUE\b|FALSE\b|\(|\)))"
)
Look = Callable[[str], State]
"""Name or ARN of an alarm → its state."""
Rule = Callable[[Look], bool]


def parse(text: str) -> tuple[Rule, list[str]]:
    """What decides, and the alarms that it names. Raises AwsError."""
    parser = Parser(text)
    rule = parser.either()
    if parser.left():
        raise invalid(text)
    return rule, parser.named


def invalid(text: str) -> AwsError:
    return AwsError(
        "ValidationError", f"AlarmRule must not contain leading or trailing whitespace or be invalid: {text}",
        json_code="ValidationException",
    )  # fmt: skip


class Parser:
    """By recursive descent, a token ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: Iterator[re.Match[str]] = self._read()
        self._next = next(self._tokens, None)
        self.named: list[str] = []

    def _read(self) -> Iterator[re.Match[str]]:
        place = 0
        while place < len(self._text.rstrip()):
            match = TOKEN.match(self._text, place)
            if match is None:
                raise invalid(self._text)
            yield match
            place = match.end()

    def left(self) -> bool:
        return self._next is not None

    def _take(self, word: str) -> bool:
        if self._next is not None and self._next["word"] == word:
            self._next = next(self._tokens, None)
            return True
        return False

    def either(self) -> Rule:
        rules = [self._both()]
        while self._take("OR"):
            rules.append(self._both())
        return lambda look: any(rule(look) for rule in rules)

    def _both(self) -> Rule:
        rules = [self._one()]
        while self._take("AND"):
            rules.append(self._one())
        return lambda look: all(rule(look) for rule in rules)

    def _one(self) -> Rule:
        if self._take("NOT"):
            negated = self._one()
            return lambda look: not negated(look)
        if self._take("("):
            inner = self.either()
            if not self._take(")"):
                raise invalid(self._text)
            return inner
        for word, truth in (("TRUE", True), ("FALSE", False)):
            if self._take(word):
                return lambda _: truth
        return self._state()

    def _state(self) -> Rule:
        token = self._next
        if token is None or token["state"] is None:
            raise invalid(self._text)
        self._next = next(self._tokens, None)
        wanted, name = State(token["state"]), token["quoted"] or token["bare"]
        self.named.append(name)
        return lambda look: look(name) is wanted
