"""A campaign's faults strike at their moments, are told of, and are reverted however the window ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from deploy.cluster import Cluster
from deploy.faults.fault import Fault, FaultError
from deploy.faults.freeze import Freeze
from loadgen import timeline
from loadgen.campaign import Timed
from loadgen.timeline import Timeline

CLUSTER = cast("Cluster", object())


@pytest.fixture
def struck(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, threading.Event]]:
    """Faults that only say that they came and went, in place of real ones."""
    told = {"applied": threading.Event(), "reverted": threading.Event()}

    @contextmanager
    def inflicted(cluster: Cluster, fault: Fault) -> Iterator[None]:
        told["applied"].set()
        try:
            yield
        finally:
            told["reverted"].set()

    monkeypatch.setattr(timeline, "inflicted", inflicted)
    return told  # type: ignore[return-value]


def timed(at_s: float, for_s: float) -> Timed:
    return Timed(at_s=at_s, for_s=for_s, fault=Freeze(part="engine"))


def kinds(line: Timeline) -> list[str]:
    return [event["kind"] for event in line.events]


def test_a_fault_strikes_and_is_reverted_and_both_are_told(struck: dict[str, threading.Event]) -> None:
    with Timeline(CLUSTER, [timed(0, 0.01)]) as line:
        line.start(time.time_ns())
        assert struck["reverted"].wait(10)
    assert kinds(line) == ["struck", "reverted"]
    assert {event["part"] for event in line.events} == {"engine"}


def test_a_window_that_ends_early_reverts_the_fault(struck: dict[str, threading.Event]) -> None:
    with Timeline(CLUSTER, [timed(0, 3600)]) as line:
        line.start(time.time_ns())
        assert struck["applied"].wait(10)
        assert not struck["reverted"].is_set()
    assert struck["reverted"].is_set()


def test_a_fault_whose_moment_never_came_does_not_strike(struck: dict[str, threading.Event]) -> None:
    with Timeline(CLUSTER, [timed(3600, 0)]) as line:
        line.start(time.time_ns())
    assert not struck["applied"].is_set()
    assert line.events == []


def test_a_fault_that_cannot_be_applied_ends_the_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def refused(cluster: Cluster, fault: Fault) -> Iterator[None]:
        raise FaultError("the engine is made of stone")
        yield

    monkeypatch.setattr(timeline, "inflicted", refused)
    with pytest.raises(FaultError, match="made of stone"), Timeline(CLUSTER, [timed(0, 0)]) as line:
        line.start(time.time_ns())
