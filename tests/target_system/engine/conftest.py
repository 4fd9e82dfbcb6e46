"""The real engine for tests: its binaries, built if nobody has, and one server on a journal of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.install import engine as installed
from tests.target_system.engine.server import EngineServer

BUILD_HERE = installed.ROOT / ".lab" / "build" / "engine"
TARGETS = ("engine", "engine-replay", "engine-bench", "engine-grpc-bench")


@pytest.fixture(scope="session")
def binaries() -> Path:
    """Where `engine` and `engine-replay` of the present sources are: LAB_ENGINE_BUILD (a sanitizer's build, say), the
    installed ones, or built here."""
    if (elsewhere := os.environ.get("LAB_ENGINE_BUILD")) is not None:
        return Path(elsewhere)
    if installed.check().ok:
        return installed.engine_dir()
    configure = ["cmake", "-S", str(installed.SOURCES), "-B", str(BUILD_HERE), "-G", "Ninja"]
    subprocess.run(configure, check=True, capture_output=True)
    subprocess.run(["cmake", "--build", str(BUILD_HERE), "--target", *TARGETS], check=True)
    return BUILD_HERE


Start = Callable[..., EngineServer]


@pytest.fixture
def start(binaries: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts an engine on the test's journal; flags may be given as keywords (`queue=10`)."""
    started: list[EngineServer] = []

    def start_one(**flags: object) -> EngineServer:
        server = EngineServer.start(binaries, tmp_path / "journal", **flags)
        started.append(server)
        return server

    yield start_one
    for server in started:
        server.close()


@pytest.fixture
def engine(start: Start) -> EngineServer:
    return start()
