"""Disks that can be made slow or full: disk_faults.c preloaded into a part, and the file that tells it."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path

from deploy.local.preloaded import library
from deploy.local.spec import PartSpec

SOURCE = Path(__file__).with_name("disk_faults.c")
CONTROL = struct.Struct("=QQ")  # nanoseconds by which a sync takes longer, 1 where no file may grow


def environment(control: Path, root: Path) -> dict[str, str]:
    """For a part whose files lie below `root`."""
    return {"LD_PRELOAD": str(library(SOURCE)), "DISK_FAULTS_CONTROL": str(control), "DISK_FAULTS_ROOT": str(root)}


def mend(specs: Iterable[PartSpec]) -> None:
    """A healthy disk for every part that runs with disk faults."""
    for spec in specs:
        if spec.disk_control is not None:
            tell(spec.disk_control, 0, False)


def tell(control: Path, sync_delay_ns: int, is_full: bool) -> None:
    """In place: processes have the file mapped, and one that shrinks below them would kill them."""
    handle = os.open(control, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(handle, CONTROL.pack(sync_delay_ns, is_full), 0)
    finally:
        os.close(handle)
