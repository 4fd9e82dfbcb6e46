"""The library that the servers of these tests run with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.power_cut import shim


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    for parent in (folder, *folder.parents):
        if parent.stat().st_mode & 0o005 != 0o005 and parent != Path("/"):
            parent.chmod(0o755)  # Postgres's user loads it
    return shim.build(folder)
