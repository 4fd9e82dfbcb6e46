"""The generator's process seen from the lab: in its CPU group, given its keys through a pipe, never outliving us."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from loadgen.assignment import Assignment, Failed, Ready, Report, decode_report, encode
from loadgen.child import Child
from loadgen.seal import RunNotWrittenError

READY_DEADLINE_S = 60.0
STOP_DEADLINE_S = 5.0


class GeneratorError(Exception):
    """The generator could not do its work; the text says why."""


class Generator:
    """A generator at work. Iterate it for its reports; leaving the context ends it, early if need be."""

    def __init__(self, assignment: Assignment, place: Callable[[int], None], log: Path) -> None:
        """`place` puts a pid into the generator's CPU group; that happens before it does any work, and when it has
        imported what it needs, which takes seconds at a small quota. Raises GeneratorError."""
        self._child = Child("loadgen.users", log)
        try:
            self._await_ready()
            place(self._child.pid)
            self._child.send(encode(assignment))
        except BaseException:
            self._child.end(STOP_DEADLINE_S)
            raise

    def __enter__(self) -> Generator:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.end(STOP_DEADLINE_S)

    def stop(self) -> None:
        """Tells it to stop; it still reports what it did."""
        self._child.stop()

    def _await_ready(self) -> None:
        try:
            line = self._child.line(READY_DEADLINE_S)
        except TimeoutError as error:
            raise GeneratorError(f"the generator {error}") from error
        if line != encode(Ready()) + b"\n":
            raise GeneratorError(f"the generator ended before its work; its log: {self._child.end_of_log(5)}")

    def __iter__(self) -> Iterator[Report]:
        """Raises GeneratorError when it fails or dies, RunNotWrittenError when its disk is full."""
        for line in self._child.said:
            try:
                report = decode_report(line)
            except msgspec.DecodeError as error:
                raise GeneratorError(f"the generator said {line!r}, which is no report ({error})") from error
            if isinstance(report, Failed) and report.disk_is_full:
                raise RunNotWrittenError(f"{report.reason}: the disk is full; make room and run the campaign again")
            if isinstance(report, Failed):
                raise GeneratorError(report.reason)
            yield report
        code = self._child.wait(STOP_DEADLINE_S)
        if code != 0:
            raise GeneratorError(
                f"the generator ended with code {code}; the end of its log: {self._child.end_of_log(5)}"
            )
