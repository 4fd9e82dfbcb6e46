"""What a generator says of a second is scraped: counters add up over windows, gauges end with theirs."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from deploy.local.load_figures import LoadFigures

PART = 'component="generator",instance="generator"'


def scraped(figures: LoadFigures) -> list[str]:
    registry = CollectorRegistry()
    registry.register(figures)
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_counters_add_up_and_gauges_are_of_the_last_second() -> None:
    figures = LoadFigures()
    for second in (3, 5):
        figures.told({
            "generator_offered_total": {"": second},
            "generator_ended_total": {"ok": second, "http_429": 1},
            "generator_in_flight": {"": second},
        })  # fmt: skip
    assert scraped(figures) == [
        f"generator_offered_total{{{PART}}} 8.0",
        f'generator_ended_total{{{PART},outcome="ok"}} 8.0',
        f'generator_ended_total{{{PART},outcome="http_429"}} 2.0',
        f"generator_in_flight{{{PART}}} 5.0",
    ]
    figures.told({})
    assert f"generator_in_flight{{{PART}}} 5.0" not in scraped(figures)
    assert f"generator_offered_total{{{PART}}} 8.0" in scraped(figures)
