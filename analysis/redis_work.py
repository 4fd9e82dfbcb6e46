"""What a command costs Redis: one thread does them all, so a single slow kind of command holds up every other."""

from __future__ import annotations

from analysis.finding import Bearing, Figure, Finding, Mechanism
from analysis.measured import Configuration, configurations
from analysis.saturation import SATURATED, loads
from analysis.series import counter
from loadgen.record import Run

COMMANDS = "redis_commands_processed_total"
SLOW_US = 300.0
"""CPU of a mean command above which some command does far more than a key's read or write (10 to 30 µs)."""


def redis_work(run: Run) -> list[Finding]:
    return [found for each in configurations(run) if (found := _finding(run, each)) is not None]


def _finding(run: Run, configuration: Configuration) -> Finding | None:
    load = loads(run, configuration).get("redis")
    found = (counter(run, COMMANDS, window) for window in configuration.windows)
    seen = [each for each in found if each is not None]
    commands, seconds = sum(float(each.sum()) for each in seen), sum(len(each) for each in seen)
    if load is None or not commands:
        return None
    each_us = 1e6 * load.busy_cores.value * seconds / commands
    suspected = each_us >= SLOW_US and load.utilisation >= SATURATED
    return Finding(
        claim=f"A command costs Redis {each_us:.0f} µs of its one thread",
        component="redis",
        mechanism=Mechanism.SLOW_COMMAND,
        status=Bearing.SUSPECTED if suspected else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=(
            Figure("CPU of Redis", 100 * load.utilisation, "%"),
            Figure("CPU of Redis for a command", each_us, "µs"),
        ),
        doubt="Which command it is, is not recorded." if suspected else "",
        next_step="Ask SLOWLOG GET and INFO commandstats on this Redis under this load." if suspected else "",
    )
