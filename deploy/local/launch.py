"""Starting a program so that it joins its CPU group first, and dies with the supervisor whatever kills that.

The kernel's parent-death signal is asked for after the change of user, which would clear it. Postgres refuses to run as
root, so there it runs as the user `postgres`, allowed to pass directories that only root may enter (a checkout often
lies below one), and to write nowhere but in its own.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

UNPRIVILEGED_USER = "postgres"
JOIN = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 125; shift; done; shift; exec "$@"'
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "XDG_CACHE_HOME")
ROOT = Path(__file__).resolve().parents[2]


async def launch(
    command: Sequence[str],
    out: BinaryIO,
    *,
    entrances: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    unprivileged: bool = False,
    death_signal: signal.Signals = signal.SIGKILL,
) -> asyncio.subprocess.Process:
    """Start it with standard output and error appended to `out`; the pid is the program's own."""
    wrapped = ["/bin/sh", "-c", JOIN, "sh", *map(str, entrances), "--"]
    wrapped += ["setpriv", "--pdeathsig", death_signal.name.removeprefix("SIG")]
    if unprivileged and os.geteuid() == 0:
        wrapped += ["--reuid", UNPRIVILEGED_USER, "--regid", UNPRIVILEGED_USER, "--init-groups"]
        wrapped += ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return await asyncio.create_subprocess_exec(
        *wrapped,
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=out,
        stderr=asyncio.subprocess.STDOUT,
        env=inherited | dict(environment or {}),
        cwd=ROOT,
    )


def give_to_unprivileged(path: Path) -> None:
    """Let the unprivileged user own this directory."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(UNPRIVILEGED_USER)
        os.chown(path, user.pw_uid, user.pw_gid)


def start_ticks(pid: int) -> int | None:
    """When the process started, in the kernel's ticks; with the pid it names a process for good. None: it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()
    return None if after_name[0] == "Z" else int(after_name[19])
