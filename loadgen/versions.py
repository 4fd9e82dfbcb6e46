"""Which version of everything took part: servers by asking them, Python packages by their metadata."""

from __future__ import annotations

import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

SERVERS = {
    "postgres": ("/usr/lib/postgresql/15/bin/postgres", "--version"),
    "redis": ("redis-server", "--version"),
    "haproxy": ("haproxy", "-v"),
    "prometheus": ("prometheus", "--version"),
}
PACKAGES = ("fastapi", "uvicorn", "uvloop", "asyncpg", "redis", "grpcio", "locust", "gevent", "hdrhistogram")
VERSION = re.compile(r"\d+(?:\.\d+)+")
DEADLINE_S = 10.0


def versions(engine: Path) -> dict[str, str]:
    """Component → version; a server that is not installed is left out. The engine goes by the digest of its sources."""
    found = {name: told for name, command in SERVERS.items() if (told := _ask(command))}
    packages = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "engine": engine.parent.name, **found, **packages}


def _ask(command: tuple[str, ...]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    except FileNotFoundError:
        return None
    told = VERSION.search(done.stdout + done.stderr)
    return told[0] if told else None
