"""HAProxy told at its control socket: which gateways it sends orders to, so that a live cluster has more or fewer of
them, and how many orders it admits in a second over all clients. A restart brings back what the topology says."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from deploy.local.control import short_path
from deploy.local.spec import PartSpec

DEADLINE_S = 2.0
ANSWER_BYTES = 4096
LIMIT = "proc.total_per_s"


class FrontError(Exception):
    """HAProxy did not do what it was told; the text says what it answered."""


def rest(control: Path, gateway: PartSpec, resting: bool) -> None:
    """No new order for this gateway, or orders again; those under way are finished. Raises FrontError."""
    if gateway.component != "gateway":
        raise FrontError(f"{gateway.name} is no gateway, so HAProxy cannot let it rest; use gateway-1 and so on")
    command = f"set server gateways/{gateway.name} state {'drain' if resting else 'ready'}"
    _do(control, command)


def throttle_per_s(control: Path) -> int:
    """Raises FrontError, also where the topology has no limit."""
    answer = _ask(control, f"get var {LIMIT}")
    found = re.search(r"value=<(\d+)>", answer)
    if found is None:
        raise FrontError("there is no throttle that could be changed; set limits.total_per_s in the topology")
    return int(found[1])


def set_throttle(control: Path, per_s: int) -> None:
    """Raises FrontError, also where the topology has no limit."""
    throttle_per_s(control)
    _do(control, f"experimental-mode on; set var {LIMIT} int({per_s})")


def _do(control: Path, command: str) -> None:
    answer = _ask(control, command)
    if answer:
        raise FrontError(f"HAProxy refused `{command}`: {answer}")


def _ask(control: Path, command: str) -> str:
    try:
        with short_path(control) as short, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEADLINE_S)
            connection.connect(short)
            connection.sendall(f"{command}\n".encode())
            return connection.recv(ANSWER_BYTES).decode().strip()
    except OSError as error:
        raise FrontError(f"HAProxy does not take `{command}`: {error}; look at lab status") from error
