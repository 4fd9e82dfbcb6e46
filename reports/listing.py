"""What lies in the folder of runs: `lab runs`. Opens each run, so a damaged one is said to be damaged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from loadgen.layout import MANIFEST
from loadgen.manifest import DamagedRunError, RunError
from loadgen.record import Run

UNREPORTED = "–"


@dataclass(frozen=True, slots=True)
class Listed:
    """`state` is valid, invalid, aborted, damaged or unreadable; `verdict` a word or two of its report."""

    run: str
    campaign: str
    started: str
    state: str
    verdict: str


def listed(runs: Path) -> list[Listed]:
    """Every run in the folder, the newest last."""
    return [_listed(path.parent) for path in sorted(runs.glob(f"*/{MANIFEST}"))]


def state(run: Run) -> str:
    """An aborted run is called so whether or not what it measured is valid."""
    if run.status != "complete":
        return run.status
    if not run.reconciled:
        return "not reconciled"
    return "valid" if run.valid else "invalid"


def _listed(path: Path) -> Listed:
    try:
        run = Run.open(path)
    except DamagedRunError:
        return Listed(path.name, "", "", "damaged", "")
    except RunError:
        return Listed(path.name, "", "", "unreadable", "")
    started = datetime.fromtimestamp(run.started_ns / 1e9, UTC).isoformat(timespec="seconds")
    return Listed(run.id, str(run.campaign["name"]), started, state(run), _verdict(path))


def _verdict(path: Path) -> str:
    """As the report said it: judging every run again would take seconds each."""
    report = path.with_name(f"{path.name}.report") / "report.json"
    return str(json.loads(report.read_text())["verdict"]["limit"]) if report.is_file() else UNREPORTED
