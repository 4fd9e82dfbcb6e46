"""Silence, in short: two near misses after a soak in bursts wake none of their own alerts.

That nobody is told anything at all is for `lab drill --silence`: here other tests take the processor meanwhile.
"""

from __future__ import annotations

import pytest

from alerts.drill import DRILLS, read_drill
from alerts.silence import Lengths, keep

pytestmark = pytest.mark.slow


def test_near_misses_after_a_soak_in_bursts_are_held_and_wake_none_of_their_own_alerts() -> None:
    kept = keep(["RedisMemory", "PgConnectionsNearLimit", "GatewayDown"], lambda _: None, Lengths(3.0, 3.0, 5.0))
    assert kept.near_misses == ("RedisMemory", "PgConnectionsNearLimit")
    assert (set(kept.told) & set(kept.near_misses), kept.broken) == (set(), ())


def test_a_near_miss_is_not_the_fault_itself() -> None:
    drills = {path.stem: read_drill(path.stem) for path in DRILLS.glob("*.yaml")}
    assert [name for name, drill in drills.items() if drill.near_miss == drill.fault] == []
