"""A place for one cluster, taken down whatever the test does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.cluster import take_down


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Its name is longer than the path of a socket may be."""
    place = tmp_path / ("deep" * 30) / "cluster"
    yield place
    take_down(place)
