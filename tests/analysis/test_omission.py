"""A stall of a second in a system that else answers at once: the open loop sees it whole, a closed loop hardly."""

from __future__ import annotations

import numpy as np

from analysis.omission import quantiles_ms, replayed_ns

RATE, SECONDS, STALL_S = 100, 20, 1.0
MS = 1_000_000
DUE = (np.arange(RATE * SECONDS) * 1e9 / RATE).astype(np.int64)
LEFT_S = np.clip(5 + STALL_S - DUE / 1e9, 0, STALL_S) * (DUE >= 5e9)
LATENCY = (LEFT_S * 1e9).astype(np.int64) + 2 * MS


def test_all_that_was_due_in_the_stall_waited_for_its_rest() -> None:
    assert (LATENCY > 100 * MS).sum() == 91
    assert quantiles_ms(LATENCY)[99.0] > 700


def test_users_who_wait_meet_the_stall_once_each() -> None:
    closed = replayed_ns(DUE, LATENCY, users=10, think_ns=100 * MS)
    assert 9 <= (closed > 100 * MS).sum() <= 10
    assert quantiles_ms(closed)[99.0] < quantiles_ms(LATENCY)[99.0]
    assert len(closed) < len(LATENCY)
