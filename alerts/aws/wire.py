"""AWS's protocols, both ways, read from botocore's own description of a service: requests in, answers and errors out.

Two of them: the query protocol (form fields in, XML out) that SNS speaks, and AWS JSON, which CloudWatch's clients of
today prefer. The description says names, nesting and which members are required, so no operation is spelt out here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.utils import parse_timestamp

from alerts.aws.errors import AwsError, null_values

LIST_MEMBERS_MAX = 1_000


class Protocol(Enum):
    QUERY = auto()
    JSON = auto()


@dataclass(frozen=True, slots=True)
class Request:
    operation: str
    parameters: dict[str, Any]
    protocol: Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]


class Wire:
    """One service's requests and answers."""

    def __init__(self, service: str) -> None:
        self._model: ServiceModel = botocore.session.get_session().get_service_model(service)

    def read(self, target: str | None, query: str, body: bytes) -> Request:
        """`target` is the header X-Amz-Target of AWS JSON. Raises AwsError."""
        if target is not None:
            operation, protocol = target.rpartition(".")[2], Protocol.JSON
            given: Any = json.loads(body or b"{}")
        else:
            fields = dict(parse_qsl(query, keep_blank_values=True)) | dict(
                parse_qsl(body.decode(), keep_blank_values=True)
            )
            operation, protocol, given = fields.pop("Action", ""), Protocol.QUERY, nested(fields)
        if operation not in self._model.operation_names:
            raise AwsError("InvalidAction", f"The action {operation} is not valid for this endpoint.")
        shape = self._model.operation_model(operation).input_shape
        if shape is None:
            return Request(operation, {}, protocol)
        parameters = (read_query if protocol is Protocol.QUERY else read_json)(shape, given)
        lacking = missing(shape, parameters, "")
        if lacking:
            raise null_values(lacking)
        return Request(operation, parameters, protocol)

    def answer(self, request: Request, result: Mapping[str, Any], request_id: str) -> Answer:
        shape = self._model.operation_model(request.operation).output_shape
        headers = {"x-amzn-RequestId": request_id}
        if request.protocol is Protocol.JSON:
            text = json.dumps(as_json(shape, result) if shape else {})
            return Answer(200, text.encode(), headers | {"Content-Type": "application/x-amz-json-1.0"})
        name = request.operation
        inner = f"<{name}Result>{as_xml(shape, result)}</{name}Result>" if shape else ""
        xml = (
            f'<{name}Response xmlns="{self._model.metadata["xmlNamespace"]}">{inner}'
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
        )
        return Answer(200, xml.encode(), headers | {"Content-Type": "text/xml"})

    def refusal(self, error: AwsError, protocol: Protocol, request_id: str) -> Answer:
        headers = {"x-amzn-RequestId": request_id}
        if protocol is Protocol.JSON:
            headers |= {
                "Content-Type": "application/x-amz-json-1.0",
                "x-amzn-query-error": f"{error.code};{error.fault}",
            }
            body = {"__type": f"com.amazonaws#{error.json_code}", "message": error.message}
            return Answer(error.status, json.dumps(body).encode(), headers)
        xml = (
            f'<ErrorResponse xmlns="{self._model.metadata["xmlNamespace"]}"><Error><Type>{error.fault}</Type>'
            f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return Answer(error.status, xml.encode(), headers | {"Content-Type": "text/xml"})


def nested(fields: Mapping[str, str]) -> dict[str, Any]:
    """`{"A.member.1": "x"}` as `{"A": {"member": {"1": "x"}}}`."""
    tree: dict[str, Any] = {}
    for name, value in fields.items():
        *parents, last = name.split(".")
        place = tree
        for parent in parents:
            inner = place.setdefault(parent, {})
            place = inner if isinstance(inner, dict) else place.setdefault(f"{parent}.", {})
        place[last] = value
    return tree


def read_query(shape: Shape, given: Any) -> Any:
    if isinstance(shape, StructureShape):
        tree = given if isinstance(given, dict) else {}
        named = {member: inner.serialization.get("name", member) for member, inner in shape.members.items()}
        return {m: read_query(shape.members[m], tree[name]) for m, name in named.items() if name in tree}
    if isinstance(shape, ListShape):
        return [read_query(shape.member, item) for item in numbered(given, "member")]
    if isinstance(shape, MapShape):
        key, value = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
        entries = [entry for entry in numbered(given, "entry") if isinstance(entry, dict)]
        return {entry.get(key, ""): read_query(shape.value, entry.get(value, {})) for entry in entries}
    return scalar(shape, given)


def numbered(given: Any, name: str) -> list[Any]:
    """The items `name.1`, `name.2` ... in the order of their numbers."""
    items = given.get(name, {}) if isinstance(given, dict) else {}
    return [items[n] for n in sorted((n for n in items if n.isdigit()), key=int)][:LIST_MEMBERS_MAX]


def read_json(shape: Shape, given: Any) -> Any:
    if given is None:
        return None
    if isinstance(shape, StructureShape):
        return {m: read_json(inner, given[m]) for m, inner in shape.members.items() if given.get(m) is not None}
    if isinstance(shape, ListShape):
        return [read_json(shape.member, item) for item in given]
    if isinstance(shape, MapShape):
        return {key: read_json(shape.value, value) for key, value in given.items()}
    return scalar(shape, given)


def scalar(shape: Shape, given: Any) -> Any:
    readers: dict[str, Callable[[Any], Any]] = {
        "integer": int,
        "long": int,
        "float": float,
        "double": float,
        "boolean": lambda text: text is True or text == "true",
        "timestamp": parse_timestamp,
        "blob": base64.b64decode,
    }
    try:
        return readers.get(shape.type_name, lambda text: text)(given)
    except ValueError as error:
        raise AwsError("MalformedInput", f"{given!r} is no {shape.type_name}") from error


def missing(shape: Shape, given: Any, where: str) -> list[str]:
    """Paths of required members that are not there, as AWS writes them."""
    if isinstance(shape, StructureShape) and isinstance(given, dict):
        found = [f"{where}{lower(name)}" for name in shape.required_members if name not in given]
        for name, inner in given.items():
            found += missing(shape.members[name], inner, f"{where}{lower(name)}.")
        return found
    if isinstance(shape, ListShape):
        return [path for n, item in enumerate(given, 1) for path in missing(shape.member, item, f"{where}{n}.member.")]
    if isinstance(shape, MapShape):
        return [path for key, item in given.items() for path in missing(shape.value, item, f"{where}{key}.member.")]
    return []


def lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def as_xml(shape: Shape, value: Any) -> str:
    if isinstance(shape, StructureShape):
        members = ((shape.members[name], name, value.get(name)) for name in shape.members)
        return "".join(
            f"<{tag}>{as_xml(inner, item)}</{tag}>"
            for inner, name, item in members
            if item is not None
            for tag in (inner.serialization.get("name", name),)
        )
    if isinstance(shape, ListShape):
        return "".join(f"<member>{as_xml(shape.member, item)}</member>" for item in value)
    if isinstance(shape, MapShape):
        pairs = value.items()
        return "".join(
            f"<entry><key>{escape(key)}</key><value>{as_xml(shape.value, item)}</value></entry>" for key, item in pairs
        )
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return escape(str(value), {"\r": "&#13;"})


def as_json(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        return {n: as_json(shape.members[n], value[n]) for n in shape.members if value.get(n) is not None}
    if isinstance(shape, ListShape):
        return [as_json(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: as_json(shape.value, item) for key, item in value.items()}
    return value.timestamp() if isinstance(value, datetime) else value
