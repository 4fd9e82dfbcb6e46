"""Silence, in short: a soak in bursts and two near misses reach nobody. `lab drill --silence` is long."""

from __future__ import annotations

import pytest

from alerts.drill import DRILLS, read_drill
from alerts.silence import Lengths, keep

pytestmark = pytest.mark.slow


def test_a_soak_in_bursts_and_near_misses_are_told_to_nobody() -> None:
    kept = keep(["RedisMemory", "PgConnectionsNearLimit", "GatewayDown"], lambda _: None, Lengths(3.0, 3.0, 5.0))
    assert kept.near_misses == ("RedisMemory", "PgConnectionsNearLimit")
    assert (kept.told, kept.broken) == ((), ())


def test_a_near_miss_is_not_the_fault_itself() -> None:
    drills = {path.stem: read_drill(path.stem) for path in DRILLS.glob("*.yaml")}
    assert [name for name, drill in drills.items() if drill.near_miss == drill.fault] == []
