"""The smallest size of the bench of the generator's own verdict."""

from __future__ import annotations

from loadgen.bench.validity import Size, measure


def test_a_starved_generator_makes_its_run_invalid_a_healthy_one_or_a_slow_system_does_not() -> None:
    figures = measure(Size(runs=1, seconds_each=2), lambda _: None)
    assert (figures["starved_invalid"], figures["healthy_invalid"], figures["slow_invalid"]) == (1, 0, 0)
