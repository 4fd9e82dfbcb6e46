"""Disks that can be made slow or full: disk_faults.c preloaded into a part, and the file that tells it."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from deploy.local import preloaded
from deploy.local.spec import PartSpec

SOURCE = Path(__file__).with_name("disk_faults.c")
CONTROL = struct.Struct("=QQ")  # nanoseconds by which a sync takes longer, 1 where no file may grow


def environment(control: Path, root: Path) -> dict[str, str]:
    """For a part whose files lie below `root`."""
    return {
        "LD_PRELOAD": str(preloaded.library(SOURCE)),
        "DISK_FAULTS_CONTROL": str(control),
        "DISK_FAULTS_ROOT": str(root),
    }


def mend(specs: Iterable[PartSpec]) -> None:
    """A healthy disk for every part that runs with disk faults."""
    for spec in specs:
        if spec.disk_control is not None:
            tell(spec.disk_control, 0, False)


def tell(control: Path, sync_delay_ns: int, is_full: bool) -> None:
    preloaded.tell(control, CONTROL.pack(sync_delay_ns, is_full))
