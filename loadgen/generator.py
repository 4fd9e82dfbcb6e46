"""The generator's process seen from the lab: in its CPU group, given its keys through a pipe, never outliving us."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from loadgen.assignment import Assignment, Failed, Report, decode_report, encode
from loadgen.seal import RunNotWrittenError

ROOT = Path(__file__).resolve().parent.parent
STOP_DEADLINE_S = 5.0


class GeneratorError(Exception):
    """The generator could not do its work; the text says why."""


class Generator:
    """A generator at work. Iterate it for its reports; leaving the context ends it, early if need be."""

    def __init__(self, assignment: Assignment, place: Callable[[int], None], log: Path) -> None:
        """`place` puts a pid into the generator's CPU group; that happens before it does any work."""
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "loadgen.users"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                start_new_session=True,  # Ctrl-C is for the lab, which then ends the generator in order
            )
        try:
            place(self._process.pid)
            self._give(assignment)
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Generator:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._end()

    def stop(self) -> None:
        """Closes its standard input, which tells it to stop; it still reports what it did."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def __iter__(self) -> Iterator[Report]:
        """Raises GeneratorError when it fails or dies, RunNotWrittenError when its disk is full."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                report = decode_report(line)
            except msgspec.DecodeError as error:
                raise GeneratorError(f"the generator said {line!r}, which is no report ({error})") from error
            if isinstance(report, Failed) and report.disk_is_full:
                raise RunNotWrittenError(f"{report.reason}: the disk is full; make room and run the campaign again")
            if isinstance(report, Failed):
                raise GeneratorError(report.reason)
            yield report
        code = self._process.wait(STOP_DEADLINE_S)
        if code != 0:
            raise GeneratorError(f"the generator ended with code {code}; the end of its log: {self._end_of_log()}")

    def _give(self, assignment: Assignment) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(encode(assignment) + b"\n")
        self._process.stdin.flush()

    def _end(self) -> None:
        try:
            self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_DEADLINE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _end_of_log(self) -> str:
        return " | ".join(self._log.read_text(errors="replace").splitlines()[-5:])
