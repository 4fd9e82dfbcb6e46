"""Logs have a bound. Each part appends to its own file, which costs the supervisor nothing while it runs under load."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LOG_BYTES_MAX = 256 * 1024 * 1024


def keep_bounded(folder: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
    """Move what a log beyond the bound holds to `NAME.jsonl.1`, over the older one there.

    The writer has the file open to append, so it is emptied in place; lines written between copy and emptying are lost.
    """
    for log in folder.glob("*.jsonl"):
        if log.stat().st_size > bytes_max:
            shutil.copyfile(log, log.with_suffix(".jsonl.1"))
            os.truncate(log, 0)
