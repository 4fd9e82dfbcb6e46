"""Wall clocks that can be made wrong: clock_faults.c preloaded into a part, and the file that tells it."""

from __future__ import annotations

import struct
from pathlib import Path

from deploy.local import preloaded
from deploy.local.site import Layout

SOURCE = Path(__file__).with_name("clock_faults.c")
CONTROL = struct.Struct("=q")  # nanoseconds by which the time of day is ahead
RIGHT = "\0" * CONTROL.size


def control_of(layout: Layout, part: str) -> Path:
    return layout.data / f"clock-{part}"


def environment(control: Path) -> dict[str, str]:
    return {"LD_PRELOAD": str(preloaded.library(SOURCE)), "CLOCK_FAULTS_CONTROL": str(control)}


def tell(control: Path, ahead_ns: int) -> None:
    preloaded.tell(control, CONTROL.pack(ahead_ns))
