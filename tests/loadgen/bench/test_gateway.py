"""The smallest size of the gateway's bench."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgen.bench.gateway import Size, Turn, figures, measure


def test_the_ratio_is_of_the_cpu_time_of_an_order() -> None:
    found = figures({"gateway": [Turn(1_000, 200.0)], "empty_handler": [Turn(5_000, 50.0)]}, Size(1, 1))
    assert (found["orders_per_core_s"], found["ratio"]) == (5_000, 0.25)


@pytest.mark.slow
def test_one_gateway_and_an_empty_handler_take_turns(tmp_path: Path) -> None:
    said: list[str] = []
    found = measure(Size(rounds=1, seconds_each=0.5), tmp_path / "cluster", said.append)
    assert [line.split(":")[0] for line in said] == ["gateway", "empty_handler"]
    assert found["orders_per_s"] > 0
    assert found["cpu_us_per_order"] > found["empty_handler_cpu_us"] > 0
