"""The one setting of a live HAProxy that may be changed: how many orders it admits in a second, over all clients.

Its runtime interface is a unix socket that only the lab's user may open. A restart brings the topology's value back.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path

from deploy.local.site import Layout

PATH_BYTES_MAX = 90
"""A unix socket's path may have 107 bytes, and HAProxy binds it under a longer name first."""
DEADLINE_S = 2.0
ANSWER_BYTES_MAX = 4_096
LIMIT = "proc.total_per_s"


class ThrottleError(Exception):
    """HAProxy could not be asked; the text says why and what to do."""


def socket_in(layout: Layout) -> Path:
    return layout.data / "haproxy.sock"


def usable(path: Path) -> str:
    """The path, or nothing where it is too long for a socket: then the throttle stays as it is."""
    return str(path) if len(bytes(path)) <= PATH_BYTES_MAX else ""


def total_per_s(path: Path) -> int:
    """What is admitted now. Raises ThrottleError."""
    said = _ask(path, f"get var {LIMIT}")
    found = re.search(r"value=<(\d+)>", said)
    if found is None:
        raise ThrottleError(f"HAProxy does not know {LIMIT}: {said.strip()}")
    return int(found[1])


def set_total_per_s(path: Path, rate: int) -> None:
    """Raises ThrottleError."""
    said = _ask(path, f"experimental-mode on; set var {LIMIT} int({rate})").strip()
    if said:
        raise ThrottleError(f"HAProxy refused {rate} orders a second: {said}")


def _ask(path: Path, command: str) -> str:
    if not path.exists():
        raise ThrottleError(f"{path} is not there: HAProxy is away, or its folder's name too long for a socket")
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEADLINE_S)
            connection.connect(str(path))
            connection.sendall(f"{command}\n".encode())
            return connection.makefile().read(ANSWER_BYTES_MAX)
    except OSError as error:
        raise ThrottleError(f"HAProxy does not answer {path.name}: {error}; look at lab status") from error
