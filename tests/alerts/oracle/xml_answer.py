"""An XML answer of the query protocol as a document, for clients that read it without boto3."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import httpx


def as_document(answer: httpx.Response) -> dict[str, Any]:
    root = ElementTree.fromstring(answer.text)
    document = {local(root.tag): content(root)}
    inner = document[local(root.tag)]
    if "ResponseMetadata" in inner:
        inner["ResponseMetadata"] = {"HTTPStatusCode": answer.status_code}
    return document


def content(element: ElementTree.Element) -> Any:
    children = list(element)
    return {local(child.tag): content(child) for child in children} if children else (element.text or "")


def local(tag: str) -> str:
    return tag.rpartition("}")[2]
