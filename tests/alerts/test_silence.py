"""Silence, in short: two near misses after a soak in bursts wake none of their own alerts.

That nobody is told anything at all is for `lab drill --silence`: here other tests take the processor meanwhile.
"""

from __future__ import annotations

import pytest

from alerts.drill import DRILLS, read_drill
from alerts.drilling import predicted_s
from alerts.silence import Lengths, keep, lasts_s

pytestmark = pytest.mark.slow


def test_near_misses_after_a_soak_in_bursts_are_held_and_wake_none_of_their_own_alerts() -> None:
    kept = keep(["RedisMemory", "PgConnectionsNearLimit", "GatewayDown"], lambda _: None, Lengths(3.0, 3.0, 5.0))
    assert kept.near_misses == ("RedisMemory", "PgConnectionsNearLimit")
    assert (set(kept.told) & set(kept.near_misses), kept.broken) == (set(), ())


DRILLED = {path.stem: read_drill(path.stem) for path in DRILLS.glob("*.yaml")}


def test_a_near_miss_is_no_rules_fault() -> None:
    faults = {drill.fault for drill in DRILLED.values()}
    assert [name for name, drill in DRILLED.items() if drill.near_miss in faults] == []


def test_a_near_miss_lasts_at_least_as_long_as_its_fault_takes_to_be_told() -> None:
    assert [name for name, drill in DRILLED.items() if lasts_s(name) < predicted_s(name, drill)] == []
    assert (lasts_s("CostBudgetBurn"), lasts_s("OrderErrorBurn"), lasts_s("RedisMemory")) == (23.0, 60.0, 8.0)
