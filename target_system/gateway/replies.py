"""What the gateway says: a status, headers and a body. Every error is an RFC 9457 problem document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from target_system.risk.limits import Breach

Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")
PROBLEM: Header = (b"content-type", b"application/problem+json")
REPLAYED: Header = (b"idempotent-replayed", b"true")
RETRY_SOON: Header = (b"retry-after", b"1")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request body; `pointer` is a JSON pointer (RFC 6901)."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    outcome: str
    """One word of a closed set, for the metrics' label."""
    headers: tuple[Header, ...] = (JSON,)
    logged: dict[str, object] = field(default_factory=dict)
    """What the canonical log line says of it."""


def problem(
    status: int, kind: str, title: str, detail: str, *, told: str, headers: tuple[Header, ...] = (),
    logged: dict[str, object] | None = None, **members: object,
) -> Reply:  # fmt: skip
    """`kind` is the last part of its type, `told` the outcome for the metrics; further members extend the document."""
    document = {"type": f"/problems/{kind}", "title": title, "status": status, "detail": detail, **members}
    return Reply(status, orjson.dumps(document), told, (PROBLEM, *headers), logged or {})


def invalid(kind: str, title: str, faults: Sequence[Fault]) -> Reply:
    errors = [{"pointer": fault.pointer, "detail": fault.detail} for fault in faults]
    return problem(422, kind, title, f"{len(errors)} fault(s); see errors", told="invalid", errors=errors)


def risk(breaches: Sequence[Breach]) -> Reply:
    """`reason` is the first breach's; each error has its own."""
    errors = [{"pointer": f"/{b.member}", "detail": b.detail, "reason": b.reason} for b in breaches]
    return problem(
        422, "risk", "The order exceeds a limit", f"{len(errors)} limit(s); see errors", told="risk",
        logged={"outcome": "refused", "reason": breaches[0].reason}, reason=breaches[0].reason, errors=errors,
    )  # fmt: skip


def malformed(detail: str) -> Reply:
    return problem(400, "malformed", "The body is not a JSON object", detail, told="invalid")


def unsupported_media_type() -> Reply:
    return problem(
        415, "unsupported-media-type", "The body must be JSON", "send content-type: application/json", told="invalid"
    )


def too_large(limit_bytes: int) -> Reply:
    return problem(
        413, "too-large", "The body is too large", f"at most {limit_bytes} bytes are read", told="invalid",
        headers=((b"connection", b"close"),),
    )  # fmt: skip


def head_too_large(limit_bytes: int) -> Reply:
    return problem(
        431,
        "head-too-large",
        "The request's head is too large",
        f"at most {limit_bytes} bytes are read",
        told="invalid",
    )


def unauthenticated() -> Reply:
    return problem(
        401, "unauthenticated", "No valid API key", "send authorization: Bearer <key>, or x-api-key: <key>",
        told="unauthenticated", headers=((b"www-authenticate", b"Bearer"),),
    )  # fmt: skip


def not_an_operator() -> Reply:
    return problem(
        403, "not-an-operator", "Not an operator's API key",
        "this needs a key of its own scope; see docs/reference/api.md", told="forbidden",
    )  # fmt: skip


def not_found(what: str) -> Reply:
    return problem(404, "not-found", "Not found", what, told="not_found")


def unavailable(kind: str, detail: str) -> Reply:
    """This gateway did nothing. A load balancer may have asked another one before, which died with the answer, so what
    is promised is only that sending it again under its id is safe."""
    return problem(
        503, kind, "Not accepted", f"{detail}; repeat it with the same client order id", told="unavailable",
        headers=(RETRY_SOON,),
    )  # fmt: skip


def outcome_unknown(detail: str) -> Reply:
    return problem(
        504, "outcome-unknown", "The outcome is not known yet",
        f"{detail}; repeat the request with the same client order id to learn it", told="unknown",
        headers=(RETRY_SOON,),
    )  # fmt: skip


def internal_error() -> Reply:
    return problem(500, "internal", "Internal error", "the gateway's log has the cause", told="failed")
