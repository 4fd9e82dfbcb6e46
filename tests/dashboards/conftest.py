"""A small sealed run in a Prometheus of its own: every test that asks queries shares it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.queries import Sources, Span
from dashboards.sealed import WHOLE, prometheus_of, spans_of
from loadgen.record import Run

GOLDEN = Path(__file__).parents[1] / "golden" / "gateway-bound"


@pytest.fixture(scope="session")
def run() -> Run:
    return Run.open(GOLDEN)


@pytest.fixture(scope="session")
def prometheus(run: Run) -> Iterator[str]:
    with prometheus_of(run) as address:
        yield address


@pytest.fixture(scope="session")
def sources(prometheus: str) -> Iterator[Sources]:
    with Sources(prometheus, None) as found:
        yield found


@pytest.fixture(scope="session")
def span(run: Run) -> Span:
    return spans_of(run)[WHOLE]
