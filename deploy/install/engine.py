"""The C++ engine, built once for its present sources and kept outside the tree, so that a second clone does not build.

`python3 -m deploy.install.engine` prints where; `engine_dir()` is the same for the cluster. With `sanitized` it builds
the engine's tests under the sanitizers of addresses and undefined behaviour, if need be, and prints where they are.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy.install.part import (
    ROOT,
    Check,
    InstallError,
    Part,
    cache_directory,
    digest,
    holds,
    keep_newest,
    locked,
    run,
)

SOURCES = ROOT / "target_system" / "engine"
PROTOS = ROOT / "target_system" / "proto"
BUILDS_KEPT = 16
DEADLINE_S = 600.0


def engine_dir() -> Path:
    """The build directory of the present sources: `engine`, `engine-replay`, the tests and the benchmarks."""
    return cache_directory("engine") / _key()


class EngineProgramError(Exception):
    """One of the engine's programs could not do its work; the text is what it said."""


def measured_by(program: str, arguments: list[str]) -> dict[str, Any]:
    """The figures that one of the benchmarks prints."""
    path = engine_dir() / program
    if not path.exists():
        raise EngineProgramError(f"{path} is missing; make setup")
    done = subprocess.run([str(path), *arguments], capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    if done.returncode != 0:
        raise EngineProgramError(done.stderr.strip() or f"{program} ended with exit {done.returncode}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def check() -> Check:
    if holds(engine_dir() / "built.stamp", _key()):
        return Check("engine", True, "built")
    return Check("engine", False, "not built from the present sources", "make setup")


def build() -> None:
    _build(engine_dir(), ["-DCMAKE_BUILD_TYPE=Release"], [])


def build_sanitized() -> Path:
    """The build directory of the engine's tests under sanitizers, made if it is not there."""
    directory = cache_directory("engine-sanitized") / _key()
    flags = ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DENGINE_SANITIZE=address,undefined"]
    _build(directory, flags, ["--target", "engine-tests"])
    return directory


def _build(directory: Path, flags: list[str], targets: list[str]) -> None:
    # In its final place from the start: CMake and ctest write absolute paths.
    key = directory.name
    with locked(directory.parent):
        if holds(directory / "built.stamp", key):
            return
        shutil.rmtree(directory, ignore_errors=True)  # what an interrupted build, perhaps of another checkout, left
        run(["cmake", "-S", str(SOURCES), "-B", str(directory), "-G", "Ninja", *flags], "configuring the engine")
        run(["cmake", "--build", str(directory), *targets], "building the engine")
        if _key() != key:
            raise InstallError("the engine's sources changed while they were compiled; run make setup again")
        (directory / "built.stamp").write_text(key)
        keep_newest((path for path in directory.parent.iterdir() if path.is_dir()), BUILDS_KEPT)


PART = Part(check, build)


def _key() -> str:
    sources = (path for path in SOURCES.rglob("*") if path.is_file())
    return digest([*sources, *PROTOS.glob("*.proto")], _processor())


def _processor() -> str:
    """What the processor can do: the engine is compiled for the one it runs on, and a cache may be shared or moved."""
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line for line in facts if line.startswith(("flags", "Features"))), "")


if __name__ == "__main__":
    print(build_sanitized() if sys.argv[1:] == ["sanitized"] else engine_dir())
