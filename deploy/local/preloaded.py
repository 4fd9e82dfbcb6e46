"""Libraries of this folder that are preloaded into parts: compiled when first wanted, kept outside the tree."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.install.part import cache_directory, digest, locked, run


def library(source: Path) -> Path:
    """A fraction of a second, once. Raises InstallError with the compiler's words."""
    folder = cache_directory(source.stem.replace("_", "-"))
    path = folder / f"{digest([source])}.so"
    with locked(folder):
        if not path.exists():
            unfinished = path.with_suffix(".new")
            command = ["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(unfinished), str(source), "-ldl"]
            run(command, f"compiling {source.name}")
            unfinished.rename(path)
    return path


def tell(control: Path, said: bytes) -> None:
    """In place: processes have the file mapped, and one that shrinks below them would kill them."""
    handle = os.open(control, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(handle, said, 0)
    finally:
        os.close(handle)
