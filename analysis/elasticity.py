"""How throughput follows the capacity of one component: e = d ln X / d ln c, from the turns of a proof.

Each round of a proof has a lever less, as it is and more in neighbouring windows, so a round gives one estimate, and
the interval is Student's t over rounds. c is the capacity really received: where the quota stops a component in both
arms, the CPU time that it got, and for a disk the syncs that fitted in a second; elsewhere what was written.

In a closed product-form network the elasticities of all stations and that of the think time sum to one, and that of a
station is Q(N) - Q(N - 1), the change of its queue with one user more (Reiser and Lavenberg 1980); what is missing from
one was not turned, or is not covered by such a model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import intervals
from analysis.demand import demands
from analysis.finding import Figure, Interval
from analysis.measured import Configuration
from analysis.memo import remembered
from analysis.mva import servers, solve
from analysis.saturation import CPU, PERIODS, STOPPED, THROTTLED, loads
from analysis.series import monotonic, samples_of
from analysis.validity import HOST_CPU
from loadgen.record import Run

SYNCS = {
    "ledger": ("pg_wal_sync_seconds", "pg_wal_syncs"),
    "engine": ("engine_sync_duration_seconds_sum", "engine_sync_duration_seconds_count"),
}
"""Component → seconds that its syncs took, and their number."""
LESS, BASE, MORE = ARMS = "less", "as it is", "more"
"""As in `interventions.parquet`."""
ROUNDS_MIN = 2
"""One round has no spread, and so no interval."""


@dataclass(frozen=True, slots=True)
class Elasticity:
    """Of throughput, on what one lever turns. `relief` is the throughput with more of it over that as it was."""

    lever: str
    component: str
    value: Figure
    relief: Figure
    less_per_s: Figure
    more_per_s: Figure
    received: float
    """Capacity with more over capacity with less, as received."""
    host_busy: float
    """Share of the machine's processors that was busy in the busier of the two arms."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Elasticities from the largest on, and what they leave unexplained."""

    elasticities: tuple[Elasticity, ...]
    base_per_s: Figure
    think: float
    """Elasticity of the think time, from the model; 0 without think time."""

    @property
    def rest(self) -> float:
        """More of a capacity takes no throughput away in a closed network, so an elasticity below nought is chance, and
        counts as none: else what an innocent lever scatters would pass for a limit that nobody turned."""
        return 1.0 - self.think - sum(max(0.0, each.value.value) for each in self.elasticities)


@remembered
def proof(run: Run, configuration: Configuration) -> Proof | None:
    """None where no lever was turned, or none for two whole rounds: Ctrl-C ends a proof anywhere."""
    turns = _whole_rounds(run.interventions, configuration)
    if turns.empty:
        return None
    turns = turns.assign(per_s=_throughputs(run, configuration, turns), busy=_host_busy(run, configuration, turns))
    found = [_elasticity(run, configuration, rows) for _, rows in turns.groupby("lever")]
    found.sort(key=lambda each: each.value.value, reverse=True)
    base = turns[turns["arm"] == BASE].groupby("round")["per_s"].mean()
    return Proof(tuple(found), _mean("throughput as it was", base), _of_think_time(run, configuration))


def _whole_rounds(turns: pd.DataFrame, configuration: Configuration) -> pd.DataFrame:
    """Turns that ended under load, of rounds in which their lever had all arms, of levers with enough such rounds."""
    mine = [
        turns[(turns["window"] == w.name) & (turns["ended_ns"] <= w.measured_until_ns)] for w in configuration.windows
    ]
    turns = pd.concat(mine)
    turns = turns.groupby(["lever", "round"]).filter(lambda rows: rows["arm"].nunique() == len(ARMS))
    return turns.groupby("lever").filter(lambda rows: rows["round"].nunique() >= ROUNDS_MIN)


def _throughputs(run: Run, configuration: Configuration, turns: pd.DataFrame) -> np.ndarray:
    """New orders answered "ok" in each settled turn, a second: all commands over the commands an order of the whole
    window, since how many of a turn's commands are cancels is chance and would only add noise."""
    acks = run.acks
    done = np.sort(acks[acks["outcome"] == "ok"]["answered_ns"].to_numpy())
    return np.asarray(_between(done, turns) / _seconds(turns) / configuration.commands_per_order)


def _between(times_ns: np.ndarray, turns: pd.DataFrame) -> np.ndarray:
    ends, starts = (np.searchsorted(times_ns, turns[edge].to_numpy()) for edge in ("ended_ns", "settled_ns"))
    return np.asarray(ends - starts)


def _seconds(turns: pd.DataFrame) -> np.ndarray:
    return np.asarray((turns["ended_ns"] - turns["settled_ns"]).to_numpy() / 1e9)


def _elasticity(run: Run, configuration: Configuration, rows: pd.DataFrame) -> Elasticity:
    lever, component = str(rows["lever"].iloc[0]), str(rows["component"].iloc[0])
    less, base, more = (rows[rows["arm"] == arm].set_index("round") for arm in ARMS)
    base, more = base.loc[less.index], more.loc[less.index]
    received = _received(run, configuration, lever, component, less, more)
    slopes = np.log(_positive(more) / _positive(less)) / math.log(received)
    relief = np.log(_positive(more) / _positive(base))
    gain = intervals.over_repetitions(list(relief))
    return Elasticity(
        lever=lever,
        component=component,
        value=Figure(f"elasticity on {lever}", float(slopes.mean()), "", intervals.over_repetitions(list(slopes))),
        relief=Figure(
            f"throughput with more {lever}, times that as it was",
            math.exp(float(relief.mean())),
            "",
            Interval(math.exp(gain.low), math.exp(gain.high), gain.method),
        ),
        less_per_s=_mean(f"throughput with less {lever}", less["per_s"]),
        more_per_s=_mean(f"throughput with more {lever}", more["per_s"]),
        received=received,
        host_busy=float(max(less["busy"].mean(), more["busy"].mean())),
    )


def _positive(rows: pd.DataFrame) -> np.ndarray:
    """A turn in which nothing was answered still has a logarithm."""
    return np.asarray(np.maximum(rows["per_s"].to_numpy(), 1e-9))


def _mean(name: str, per_s: pd.Series) -> Figure:
    values = [float(value) for value in per_s]
    return Figure(name, float(np.mean(values)), "orders/s", intervals.over_repetitions(values))


def _received(
    run: Run, configuration: Configuration, lever: str, component: str, less: pd.DataFrame, more: pd.DataFrame
) -> float:
    """Capacity of the arm with more over that with less."""
    written = float(more["written"].mean() / less["written"].mean())
    if lever.endswith(" commit") and component in SYNCS:
        spent, syncs = (
            [_grown(run, configuration, metric, component, rows) for rows in (less, more)]
            for metric in SYNCS[component]
        )
        took = [seconds / times for seconds, times in zip(spent, syncs, strict=True) if times > 0]
        return took[0] / took[1] if len(took) == 2 and took[0] > took[1] else written
    if lever.endswith(" cpu"):
        used = [_grown(run, configuration, CPU, component, rows) for rows in (less, more)]
        periods = [_grown(run, configuration, PERIODS, component, rows) for rows in (less, more)]
        stopped = [_grown(run, configuration, THROTTLED, component, rows) for rows in (less, more)]
        if min(periods) > 0 and min(s / p for s, p in zip(stopped, periods, strict=True)) >= STOPPED:
            return used[1] / used[0]
    return written


def _grown(run: Run, configuration: Configuration, metric: str, component: str, rows: pd.DataFrame) -> float:
    """Growth of a counter, over all its instances, in the settled parts of these turns."""
    total = 0.0
    for window in configuration.windows:
        samples = samples_of(run, metric, window)
        for _, one in samples[samples["component"] == component].groupby("instance"):
            total += float(_growth(one, rows).sum())
    return total


def _growth(samples: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    samples = samples.sort_values("t_ns")
    times, grown = samples["t_ns"].to_numpy(dtype=float), monotonic(samples["value"].to_numpy(dtype=float))
    ends, starts = (np.interp(rows[edge].to_numpy(dtype=float), times, grown) for edge in ("ended_ns", "settled_ns"))
    return np.asarray(ends - starts)


def _host_busy(run: Run, configuration: Configuration, turns: pd.DataFrame) -> np.ndarray:
    """Share of the machine that was busy in each turn; 0 where that was not recorded."""
    grown = {mode: np.zeros(len(turns)) for mode in ("busy", "idle", "steal")}
    for window in configuration.windows:
        samples = samples_of(run, HOST_CPU, window)
        for mode in grown:
            one = samples[samples["mode"] == mode] if "mode" in samples else samples.iloc[0:0]
            if len(one) > 1:
                grown[mode] += _growth(one, turns)
    return np.asarray((grown["busy"] + grown["steal"]) / np.maximum(sum(grown.values()), 1e-9))


def _of_think_time(run: Run, configuration: Configuration) -> float:
    """By the queueing model of the CPUs."""
    think_s, users = configuration.think_s, configuration.users
    if not think_s or not users:
        return 0.0
    found = loads(run, configuration)
    stations = [
        servers(name, need.seconds, need.servers, found[name].capacity.each) for name, need in demands(found).items()
    ]
    return solve(stations, users, think_s).think_elasticity
