"""Whether a message passes a filter policy. Pure: policy and values in, a truth out."""

from __future__ import annotations

import ipaddress
import json
import operator
from collections.abc import Iterator, Mapping
from typing import Any

from alerts.sns.filter_policy import is_number, spread
from alerts.sns.model import Attribute, Message, Subscription

PAYLOAD_COMBINATIONS_MAX = 10_000

Values = dict[str, Any]
"""Path of a leaf → its value; what an array of scalars holds is a list."""


def passes(subscription: Subscription, message: Message) -> bool:
    policy = subscription.filter_policy
    if policy is None:
        return True
    if not subscription.filters_body:
        return matches(policy, [of_attributes(message.attributes)])
    try:
        body = json.loads(message.body_for(subscription.protocol))
    except ValueError:
        return False
    return isinstance(body, dict) and matches(policy, list(flattened(body)))


def matches(policy: dict[str, Any], payloads: list[Values]) -> bool:
    """Arrays of objects give several payloads; one of them has to pass as a whole."""
    alternatives = list(spread(policy))
    return any(
        all(any(holds(condition, payload, path) for condition in conditions) for path, (conditions, _) in rules.items())
        for payload in payloads
        for rules in alternatives
    )


def of_attributes(attributes: Mapping[str, Attribute]) -> Values:
    """Binary ones are ignored."""
    values: Values = {}
    for name, kept in attributes.items():
        if kept.type == "String.Array":
            values[name] = list_of(kept.value)
        elif kept.type.startswith("Number"):
            values[name] = float(kept.value)
        elif kept.type.startswith("String"):
            values[name] = kept.value
    return values


def list_of(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, list) else text


def flattened(body: Any, path: str = "") -> Iterator[Values]:
    """One set of leaves for each choice of one object in every array of objects."""
    if isinstance(body, dict):
        sets: list[Values] = [{}]
        for key, value in body.items():
            choices = list(flattened(value, f"{path}.{key}" if path else key)) or [{}]
            sets = [{**kept, **more} for kept in sets for more in choices][:PAYLOAD_COMBINATIONS_MAX]
        yield from sets
    elif isinstance(body, list):
        yield from flattened_list(body, path)
    else:
        yield {path: body}


def flattened_list(items: list[Any], path: str) -> Iterator[Values]:
    scalars = [item for item in items if not isinstance(item, dict | list)]
    if scalars:
        yield {path: scalars}
    for item in items:
        if isinstance(item, dict | list):
            yield from flattened(item, path)


def holds(condition: Any, payload: Values, path: str) -> bool:
    if isinstance(condition, dict) and "exists" in condition:
        return (path in payload) is condition["exists"]
    if path not in payload:
        return False
    value = payload[path]
    values = value if isinstance(value, list) else [value]
    if isinstance(condition, dict) and "anything-but" in condition:
        return bool(values) and all(is_none_of(condition["anything-but"], each) for each in values)
    return any(equals(condition, each) for each in values)


def equals(condition: Any, value: Any) -> bool:
    if isinstance(condition, dict):
        ((name, pattern),) = condition.items()
        return OPERATORS[name](pattern, value)
    if is_number(condition) or is_number(value):
        return is_number(condition) and is_number(value) and float(condition) == float(value)
    return type(condition) is type(value) and bool(condition == value)


def is_none_of(pattern: Any, value: Any) -> bool:
    if isinstance(pattern, dict):
        return not (isinstance(value, str) and value.startswith(pattern["prefix"]))
    return not any(equals(each, value) for each in (pattern if isinstance(pattern, list) else [pattern]))


def in_range(pattern: list[Any], value: Any) -> bool:
    if not is_number(value):
        return False
    return all(COMPARE[sign](value, number) for sign, number in zip(pattern[::2], pattern[1::2], strict=True))


def in_network(pattern: str, value: Any) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(pattern, strict=False)
    except (ValueError, TypeError):
        return False


COMPARE = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
OPERATORS = {
    "prefix": lambda pattern, value: isinstance(value, str) and value.startswith(pattern),
    "suffix": lambda pattern, value: isinstance(value, str) and value.endswith(pattern),
    "equals-ignore-case": lambda pattern, value: isinstance(value, str) and value.lower() == pattern.lower(),
    "numeric": in_range,
    "cidr": in_network,
}
