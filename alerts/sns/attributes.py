"""Message attributes, checked in AWS's order and words."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from alerts.aws.errors import AwsError
from alerts.sns.model import Attribute

NAME_BYTES_MAX = 256
PREFIXES = ("String", "Number", "Binary")
BAD_CHARACTER = re.compile(r"[^A-Za-z0-9._-]")


def checked_attributes(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Attribute]:
    """Raises AwsError."""
    for name in given:
        check_name(name)
    return {name: checked_attribute(name, attribute) for name, attribute in given.items()}


def check_name(name: str) -> None:
    if len(name.encode()) >= NAME_BYTES_MAX:
        raise refused("Length of message attribute name must be less than 256 bytes.")
    bad = BAD_CHARACTER.search(name)
    if bad:
        raise refused(
            f"Invalid non-alphanumeric character '#x{ord(bad[0]):X}' was found in the message attribute name."
            " Can only include alphanumeric characters, hyphens, underscores, or dots."
        )
    if name.startswith("."):
        raise refused("Invalid message attribute name starting with character '.' was found.")
    if name.endswith("."):
        raise refused("Invalid message attribute name ending with character '.' was found.")
    if ".." in name:
        raise refused("Message attribute name can not have successive '.' character.")


def checked_attribute(name: str, given: Mapping[str, Any]) -> Attribute:
    kind = given["DataType"]
    prefix = kind.split(".")[0]
    if prefix not in PREFIXES:
        raise refused(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes"
            " is Binary, Number, and String."
        )
    wanted, other = ("Binary", "String") if prefix == "Binary" else ("String", "Binary")
    value = given.get(f"{wanted}Value")
    if not value:
        if given.get(f"{other}Value"):
            raise refused(f"The message attribute '{name}' with type '{prefix}' must use field '{wanted}'.")
        raise refused(
            f"The message attribute '{name}' must contain non-empty message attribute value for message attribute"
            f" type '{prefix}'."
        )
    if prefix == "Number" and not is_number(value):
        raise refused(f"Could not cast message attribute '{name}' value to number.")
    return Attribute(kind, base64.b64encode(value).decode() if prefix == "Binary" else value)


def is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) is not None


def refused(message: str) -> AwsError:
    return AwsError("ParameterValueInvalid", message)


def size_bytes(attributes: Mapping[str, Attribute]) -> int:
    """What they count for in a message's size: name, type and value."""
    return sum(len(part.encode()) for name, kept in attributes.items() for part in (name, kept.type, kept.value))
