"""Which filter policies AWS takes, and in which words it refuses the others.

The dialect is that of https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html. AWS ends some of
its sentences with the place in the text, as its JSON parser counts it; the sentences here end before that.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator
from typing import Any

from alerts.aws.errors import AwsError, invalid_parameter

KEYS_MAX = 5
COMBINATIONS_MAX = 150
OR = "$or"
RANGE_START, RANGE_END = ("<", "<=", ">", ">=", "="), ("<", "<=")


def check_filter_policy(text: str, in_body: bool) -> None:
    """Raises AwsError."""
    try:
        policy = json.loads(text)
    except ValueError:
        raise refused(unparsable(text)) from None
    if not isinstance(policy, dict):
        raise refused("Filter is not an object")
    if not in_body and any(isinstance(value, dict) for value in policy.values()):
        raise invalid_parameter("Filter policy scope MessageAttributes does not support nested filter policy")
    alternatives = list(spread(policy))
    if any(len(rules) > KEYS_MAX for rules in alternatives):
        raise refused(f"Filter policy can not have more than {KEYS_MAX} keys")
    for rules in alternatives:
        for conditions, _ in rules.values():
            for condition in conditions:
                check_condition(condition)
    if sum(combinations(rules) for rules in alternatives) > COMBINATIONS_MAX:
        raise refused("Filter policy is too complex")


def refused(said: str) -> AwsError:
    return invalid_parameter(f"Attributes Reason: FilterPolicy: {said}")


def unparsable(text: str) -> str:
    word = re.match(r"\s*([A-Za-z_$][\w$]*)", text)
    if word is None:
        return "failed to parse JSON."
    column = len(word[0]) + 1
    return (
        f"failed to parse JSON. Unrecognized token '{word[1]}': was expecting (JSON String, Number, Array, Object or"
        " token 'null', 'true' or 'false')\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION`"
        f" disabled); line: 1, column: {column}]"
    )


Rules = dict[str, tuple[list[Any], int]]
"""Path of a key, its parts joined by dots → the conditions of which one must hold, and how deep the key lies."""


def spread(policy: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[Rules]:
    """The policy without nesting and without `$or`: alternatives, each a set of rules that must all hold."""
    alternatives: list[Rules] = [{}]
    for key, value in policy.items():
        if key == OR and isinstance(value, list) and len(value) > 1 and all(isinstance(each, dict) for each in value):
            choices = [rules for each in value for rules in spread(each, path)]
        elif isinstance(value, dict):
            choices = list(spread(value, (*path, key)))
        elif isinstance(value, list):
            if not value:
                raise refused("Empty arrays are not allowed")
            choices = [{".".join((*path, key)): (value, len(path) + 1)}]
        else:
            raise refused(f'"{key}" must be an object or an array')
        alternatives = [{**rules, **more} for rules in alternatives for more in choices]
    yield from alternatives


def combinations(rules: Rules) -> int:
    product = 1
    for conditions, depth in rules.values():
        product *= len(conditions) * depth
    return product


def check_condition(condition: Any) -> None:
    if isinstance(condition, list):
        raise refused("Match value must be String, number, true, false, or null")
    if not isinstance(condition, dict):
        return
    if len(condition) != 1:
        raise refused("Only one key allowed in match expression")
    ((operator, value),) = condition.items()
    if operator in ("prefix", "suffix", "equals-ignore-case"):
        check_text(operator, value)
    elif operator == "anything-but":
        check_anything_but(value)
    elif operator == "exists":
        if not isinstance(value, bool):
            raise refused("exists match pattern must be either true or false.")
    elif operator == "numeric":
        check_numeric(value)
    elif operator == "cidr":
        check_cidr(value)
    else:
        raise refused(f"Unrecognized match type {operator}")


def check_text(operator: str, value: Any) -> None:
    if not isinstance(value, str):
        raise refused(f"{operator} match pattern must be a string")


def check_anything_but(value: Any) -> None:
    if isinstance(value, dict):
        ((operator, pattern),) = value.items() if len(value) == 1 else ((", ".join(value), None),)
        if operator not in ("prefix",):
            raise refused(f"Unsupported anything-but pattern: {operator}")
        check_text(operator, pattern)
        return
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, bool) or not isinstance(each, str | int | float):
            raise refused("Inside anything but list, start|null|boolean is not supported.")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_numeric(value: Any) -> None:
    if not isinstance(value, list):
        raise refused("Value of numeric must be an array.")
    operator, bottom, second, top = (*value, *[None] * 4)[:4]
    if not isinstance(operator, str):
        raise refused(f"Invalid member in numeric match: {']' if not value else operator}")
    if operator not in RANGE_START:
        raise refused(f"Unrecognized numeric range operator: {operator}")
    if not is_number(bottom):
        raise refused(f"Value of {'equals' if operator == '=' else operator} must be numeric")
    if len(value) == 2:
        return
    if operator not in (">", ">="):
        raise refused("Too many elements in numeric expression")
    if not isinstance(second, str):
        raise refused(f"Bad value in numeric range: {second}")
    if second not in RANGE_END:
        raise refused(f"Bad numeric range operator: {second}")
    if not is_number(top):
        raise refused(f"Value of {second} must be numeric")
    if len(value) > 4:
        raise refused("Too many terms in numeric range expression")
    if not bottom < top:
        raise refused("Bottom must be less than top")


def check_cidr(value: Any) -> None:
    if not isinstance(value, str):
        raise refused("prefix match pattern must be a string")
    if value.count("/") != 1:
        raise refused("Malformed CIDR, one '/' required")
    address, _, bits = value.partition("/")
    if not bits.isdigit():
        raise refused("Malformed CIDR, mask bits must be an integer")
    try:
        most = ipaddress.ip_address(address).max_prefixlen
    except ValueError:
        raise refused(f"Nonstandard IP address: {address}") from None
    if int(bits) > most:
        raise refused(f"Malformed CIDR, mask bits must not be above {most}")
