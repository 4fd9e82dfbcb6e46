"""YAML documents into pydantic models: every fault of a document at once, each with its line and what to do about it.

`load(Model, path)` is all that a caller needs. A fault reads `file:line: path: what; what to do`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Where = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Fault:
    where: Where
    what: str  # what is wrong, and after a semicolon what to do


class DocumentError(ValueError):
    """Every fault of one document; `str()` has one line for each."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True, slots=True)
class Document:
    name: str
    data: Any
    lines: dict[Where, int]

    def say(self, fault: Fault) -> str:
        """The fault with the line of its place, or of the nearest place around it that the document has."""
        where = fault.where
        while where and where not in self.lines:
            where = where[:-1]
        line = self.lines.get(where)
        return f"{self.name}:{line}: {fault_text(fault)}" if line else f"{self.name}: {fault_text(fault)}"


def load(model: type[Model], path: Path, cross_check: Callable[[Model], Iterable[Fault]] = lambda _: ()) -> Model:
    """Read, parse and validate; `cross_check` finds what one field cannot know of another. Raises DocumentError."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError([f"{path}: cannot be read ({error}); name a YAML file"]) from error
    return validate(model, parse(text, str(path)), cross_check)


def parse(text: str, name: str) -> Document:
    """YAML into plain data, remembering where everything stood. Raises DocumentError."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DocumentError([f"{name}:{line}: not YAML: {error.problem}; check indentation and colons"]) from error
    lines: dict[Where, int] = {}
    twice: list[Fault] = []
    if root is not None:
        _note_lines(root, (), lines, twice)
    document = Document(name, {} if data is None else data, lines)
    if twice:
        raise DocumentError(document.say(fault) for fault in twice)
    return document


def validate(model: type[Model], document: Document, cross_check: Callable[[Model], Iterable[Fault]]) -> Model:
    faults: list[Fault] = []
    found: Model | None = None
    try:
        found = model.model_validate(document.data)
    except ValidationError as error:
        faults = [Fault(_place(document.data, fault.where), fault.what) for fault in field_faults(model, error)]
        found = _without(model, document.data, [fault.where for fault in faults])
    if found is not None:
        faults += cross_check(found)
    if faults or found is None:
        raise DocumentError(sorted({document.say(fault): None for fault in faults}, key=_line_of))
    return found


def field_faults(model: type[BaseModel], error: ValidationError) -> list[Fault]:
    return [Fault(details["loc"], _what(model, details)) for details in error.errors()]


def _place(data: Any, where: Where) -> Where:
    """As the document has it: the word that tells which of several kinds a value is stands in no place of its own."""
    place: Where = ()
    for position, part in enumerate(where):
        if isinstance(data, dict) and part not in data and position < len(where) - 1:
            continue
        place = (*place, part)
        data = data.get(part) if isinstance(data, dict) else data[int(part)] if isinstance(data, list) else None
    return place


def fault_text(fault: Fault) -> str:
    """`a.b[2]: what; what to do`."""
    where = ""
    for part in fault.where:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else part
    return f"{where or 'the document'}: {fault.what}"


def _what(model: type[BaseModel], details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    value = details["input"]
    match kind:
        case "extra_forbidden":
            return f"is not known{_meant(model, details['loc'])}"
        case "missing":
            return "is missing; add it"
        case "greater_than":
            return f"is {value}; use a number above {context['gt']}"
        case "greater_than_equal":
            return f"is {value}; use {context['ge']} or more"
        case "less_than_equal":
            return f"is {value}; use {context['le']} or less"
        case "value_error" | "assertion_error":
            return str(context["error"])
    return f"is {value!r}; {details['msg'][0].lower()}{details['msg'][1:]}"


def _meant(model: type[BaseModel], where: Where) -> str:
    """What may stand there instead of an unknown key."""
    for part in where[:-1]:
        field = model.model_fields.get(str(part))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return "; remove it"
        model = field.annotation
    near = difflib.get_close_matches(str(where[-1]), model.model_fields, n=1)
    return f"; did you mean {near[0]}?" if near else f"; remove it, or use one of {', '.join(model.model_fields)}"


def _without(model: type[Model], data: Any, faulty: list[Where]) -> Model | None:
    """The document with its faulty values left out, so that what is left can be checked across fields as well."""
    data = deepcopy(data)
    for where in sorted(faulty, key=str, reverse=True):
        _remove(data, where)
    try:
        return model.model_validate(data)
    except ValidationError:
        return None


def _remove(data: Any, where: Where) -> None:
    for position, part in enumerate(where):
        if not (isinstance(data, list) if isinstance(part, int) else isinstance(data, dict) and part in data):
            return
        child = data[part]
        if position == len(where) - 1 or not isinstance(child, dict | list):
            del data[part]
            return
        data = child


def _note_lines(node: yaml.Node, where: Where, lines: dict[Where, int], twice: list[Fault]) -> None:
    lines.setdefault(where, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*where, key.value)
            if place in lines:
                twice.append(Fault(place, "stands there twice; keep one"))
            lines[place] = key.start_mark.line + 1
            _note_lines(value, place, lines, twice)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*where, index), lines, twice)


def _line_of(fault: str) -> tuple[int, str]:
    parts = fault.split(":", 2)
    return (int(parts[1]) if len(parts) > 2 and parts[1].isdigit() else 0, fault)
