"""HAProxy told at its control socket which gateways it sends orders to: so a live cluster has more or fewer of them."""

from __future__ import annotations

import socket
from pathlib import Path

from deploy.local.control import short_path
from deploy.local.spec import PartSpec

DEADLINE_S = 2.0
ANSWER_BYTES = 4096


class FrontError(Exception):
    """HAProxy did not do what it was told; the text says what it answered."""


def rest(control: Path, gateway: PartSpec, resting: bool) -> None:
    """No new order for this gateway, or orders again; those under way are finished. Raises FrontError."""
    if gateway.component != "gateway":
        raise FrontError(f"{gateway.name} is no gateway, so HAProxy cannot let it rest; use gateway-1 and so on")
    command = f"set server gateways/{gateway.name} state {'drain' if resting else 'ready'}"
    try:
        with short_path(control) as short, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEADLINE_S)
            connection.connect(short)
            connection.sendall(f"{command}\n".encode())
            answer = connection.recv(ANSWER_BYTES).decode().strip()
    except OSError as error:
        raise FrontError(f"HAProxy does not take `{command}`: {error}; look at lab status") from error
    if answer:
        raise FrontError(f"HAProxy refused `{command}`: {answer}")
