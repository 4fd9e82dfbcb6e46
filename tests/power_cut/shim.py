"""A power cut: the processes are gone, and with them every byte that was not synced.

The servers run with the library built from `power_cut.c` preloaded (`environment`). After they were killed,
`cut(root, undo)` takes back what they had written and not synced. Nothing to revert: what is lost is lost.
"""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("power_cut.c")
RECORD = struct.Struct("<QQQ")


def build(folder: Path) -> Path:
    """Compile the library into `folder` and give its path. Raises CalledProcessError with the compiler's words."""
    library = folder / "power_cut.so"
    command = ["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return library


def environment(library: Path, root: Path, undo: Path) -> dict[str, str]:
    """What a server's environment needs."""
    undo.mkdir(parents=True, exist_ok=True)
    undo.chmod(0o777)  # servers of several users share it
    return {
        "LD_PRELOAD": str(library), "POWER_CUT_ROOT": str(root), "POWER_CUT_UNDO": str(undo),
        "POWER_CUT_LIE": str(_lie(undo)),
    }  # fmt: skip


def begin_lying(undo: Path) -> None:
    """From now on syncs say yes and keep nothing, as on a disk that lies."""
    _lie(undo).touch()


def end_lying(undo: Path) -> None:
    _lie(undo).unlink(missing_ok=True)


def _lie(undo: Path) -> Path:
    return undo.with_name(f"{undo.name}-lies")


def cut(root: Path, undo: Path) -> set[str]:
    """Take back every byte below `root` that was not synced; gives the files that it was in. Servers must be gone."""
    by_inode = {path.stat().st_ino: path for path in root.rglob("*") if path.is_file() and not path.is_symlink()}
    shortened = set()
    for log in undo.iterdir():
        records = list(_records(log.read_bytes()))
        path = by_inode.get(int(log.name))
        if path is not None and records:
            _restore(path, records)
            shortened.add(str(path.relative_to(root)))
        log.unlink()
    return shortened


def _records(data: bytes) -> list[tuple[int, int, bytes]]:
    """(offset, old size, old bytes) in the order of writing; a torn last record belongs to a write that never began."""
    found, at = [], 0
    while at + RECORD.size <= len(data):
        offset, length, old_size = RECORD.unpack_from(data, at)
        at += RECORD.size
        if at + length > len(data):
            break
        found.append((offset, old_size, data[at : at + length]))
        at += length
    return found


def _restore(path: Path, records: list[tuple[int, int, bytes]]) -> None:
    with path.open("r+b") as file:
        for offset, old_size, old in reversed(records):
            file.seek(offset)
            file.write(old)
            file.flush()
            os.ftruncate(file.fileno(), old_size)
        os.fsync(file.fileno())
