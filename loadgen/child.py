"""A module of the lab as a process: told its work in one line, ended by the end of its standard input."""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent


class Child:
    """`send` its work, read what it says from `said`; `stop` asks it to end, `end` sees to it."""

    def __init__(self, module: str, log: Path) -> None:
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                start_new_session=True,  # Ctrl-C is for the lab, which then ends the child in order
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._told: IO[bytes] = self._process.stdin
        self.said: IO[bytes] = self._process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, line: bytes) -> None:
        self._told.write(line + b"\n")
        self._told.flush()

    def line(self, deadline_s: float) -> bytes:
        """The first that it says, or empty where it ended. Raises TimeoutError."""
        if not select.select([self.said], [], [], deadline_s)[0]:
            raise TimeoutError(f"said nothing for {deadline_s:g} s")
        return self.said.readline()

    def stop(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._told.close()

    def wait(self, deadline_s: float) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""
        return self._process.wait(deadline_s)

    def end(self, deadline_s: float) -> None:
        """By force where it has not ended by itself within the deadline."""
        self.stop()
        try:
            self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(deadline_s)
        self.said.close()

    def end_of_log(self, lines: int) -> str:
        return " | ".join(self._log.read_text(errors="replace").splitlines()[-lines:])
