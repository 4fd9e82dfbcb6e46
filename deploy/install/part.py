"""What every part of the installation shares: its check, its place outside the tree, and how its commands are shown."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 3600.0
TERMINAL_TICK_S = 0.5
LOG_TICK_S = 15.0
LOG_WIDTH = 120
TAIL_LINES = 20


@dataclass(frozen=True, slots=True)
class Check:
    """Whether one part is there. `needed` is false for what the lab can do without."""

    name: str
    ok: bool
    found: str  # what is there, or what is missing
    to_do: str = ""  # empty where nothing has to be done
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """`check` only looks; `install` changes what `check` found wanting and raises `InstallError` where it cannot."""

    check: Callable[[], Check]
    install: Callable[[], None]


class InstallError(Exception):
    """Something could not be installed; the text says what, where and what to do next."""


class MissingError(InstallError):
    """Something is missing that this user may not install; the text has the line that does."""


def cache_directory(kind: str) -> Path:
    """Where built things are kept, outside the tree, so that a second clone builds nothing again."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "trading-cluster-lab" / kind


def digest(files: Iterable[Path], *more: str) -> str:
    """A short name for the content of some files of this checkout and some words besides."""
    sha = hashlib.sha256()
    for path in sorted(files):
        content = path.read_bytes()
        sha.update(f"{path.relative_to(ROOT).as_posix()} {len(content)}\n".encode())
        sha.update(content)
    sha.update("\n".join(more).encode())
    return sha.hexdigest()[:16]


def holds(stamp: Path, value: str) -> bool:
    """Whether the stamp was written for this value."""
    try:
        return stamp.read_text() == value
    except OSError:
        return False


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One installer at a time in the directory; a second one waits, then finds the work done."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def keep_newest(directories: Iterable[Path], count: int) -> None:
    """Remove all but the newest of what was built."""
    newest_first = sorted(directories, key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[count:]:
        shutil.rmtree(path)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(command: list[str], title: str, environment: Mapping[str, str] | None = None, cwd: Path = ROOT) -> None:
    """Run a command to its end, showing how long it has been at it and the last line that it printed.

    On a terminal one line is rewritten; elsewhere a line appears every few seconds. What it printed last is part of the
    error when it fails or takes longer than any step should.
    """
    started = time.monotonic()
    tail: deque[str] = deque([""], maxlen=TAIL_LINES)
    env = os.environ | dict(environment or {})
    ticking = _ticking(lambda: f"    {title}, {time.monotonic() - started:.0f} s: {tail[-1]}")
    with ticking, subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            deadline = threading.Timer(DEADLINE_S, process.kill)
            deadline.daemon = True
            deadline.start()
            for line in process.stdout:
                tail.append(line.strip())
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.communicate()  # it ends before we do: apt-get lets dpkg finish what it has begun
            raise
        deadline.cancel()
    if process.returncode != 0:
        printed = "\n".join(f"    {line}" for line in tail)
        raise InstallError(f"{title} failed (exit {process.returncode}): {shlex.join(command)}\n{printed}")


@contextlib.contextmanager
def _ticking(text: Callable[[], str]) -> Iterator[None]:
    """Show the text again and again until the block ends."""
    terminal = sys.stderr.isatty()
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(TERMINAL_TICK_S if terminal else LOG_TICK_S):
            width = shutil.get_terminal_size().columns - 1
            line = f"\r\033[K{text()[:width]}" if terminal else f"{text()[:LOG_WIDTH]}\n"
            print(line, end="", file=sys.stderr, flush=True)

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        ended.set()
        ticker.join()
        if terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
