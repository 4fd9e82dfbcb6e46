"""A function as configured, one of its invocations, and how it ended. Values of AWS Lambda, without its machinery."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, TypeAdapter


class Function(BaseModel):
    """`handler` as Lambda writes it, module.function, importable from `task_root`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    handler: str
    task_root: Path
    timeout_s: PositiveFloat = 3.0
    environment: Mapping[str, str] = {}
    dead_letter_arn: str | None = Field(default=None, description="topic or queue for events that failed thrice")


def read_functions(file: Path) -> list[Function]:
    return TypeAdapter(list[Function]).validate_json(file.read_bytes())


@dataclass(frozen=True, slots=True)
class Ended:
    """`error`: what the function raised, or the service says of it; the payload is then Lambda's error document."""

    payload: bytes
    error: str | None = None

    @property
    def kind(self) -> str:
        """The class of what was raised; empty where nothing was."""
        return str(json.loads(self.payload).get("errorType", "")) if self.error is not None else ""

    @classmethod
    def failed(cls, kind: str, message: str) -> Ended:
        return cls(json.dumps({"errorType": kind, "errorMessage": message}).encode(), message)

    @classmethod
    def reported(cls, payload: bytes) -> Ended:
        """What the runtime posted as an error. Raises ValueError where it is none."""
        return cls(payload, str(json.loads(payload)["errorMessage"]))


@dataclass(slots=True)
class Invocation:
    payload: bytes
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    began_ns: int = field(default_factory=time.time_ns)
    tries: int = 0
    ended: asyncio.Future[Ended] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
