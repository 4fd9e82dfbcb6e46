"""The pause before a restart grows, and a crash loop is given up."""

from __future__ import annotations

from deploy.local.restarts import S, pause_before_restart_s
from deploy.topology import Restarts

POLICY = Restarts(restarts_max=3, within_s=60, backoff_first_s=0.2, backoff_max_s=0.5)


def test_the_pause_doubles_up_to_its_longest_and_then_the_part_is_given_up() -> None:
    deaths = [n * S for n in range(1, 5)]
    pauses = [pause_before_restart_s(POLICY, deaths[:count]) for count in range(1, 5)]
    assert pauses == [0.2, 0.4, 0.5, None]


def test_deaths_before_the_window_are_forgiven() -> None:
    long_ago = [n * S for n in range(1, 10)]
    assert pause_before_restart_s(POLICY, [*long_ago, 100 * S]) == 0.2


def test_a_policy_of_no_restarts_gives_up_at_the_first_death() -> None:
    assert pause_before_restart_s(Restarts(restarts_max=0), [S]) is None
