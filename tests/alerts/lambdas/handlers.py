"""Handlers that the tests' functions run: one notes its events, one fails, one hangs or dies when told."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


def note(event: dict[str, Any], context: Any) -> dict[str, Any]:
    with Path(os.environ["NOTES"]).open("a") as file:
        file.write(json.dumps(event) + "\n")
    return {"request": context.aws_request_id, "pid": os.getpid(), "left_ms": context.get_remaining_time_in_millis()}


def fail(event: dict[str, Any], _context: Any) -> None:
    raise RuntimeError("Test exception (this is intentional)")


def misbehave(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    if event.get("do") == "hang":
        time.sleep(60)
    if event.get("do") == "die":
        os._exit(3)
    return {"pid": os.getpid()}
