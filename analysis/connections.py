"""Connections to Postgres: a server whose last place is taken refuses the next client, and its pool stays small."""

from __future__ import annotations

from analysis.finding import Bearing, Figure, Finding, Mechanism, percent
from analysis.measured import Configuration, configurations
from analysis.series import inside, samples_of
from loadgen.record import Run, Window

OPEN, MOST = "pg_connections_open", "pg_connections_max"
NEARLY_ALL = 0.95


def connections(run: Run) -> list[Finding]:
    return [found for each in configurations(run) if (found := _finding(run, each)) is not None]


def _finding(run: Run, configuration: Configuration) -> Finding | None:
    """Of the fullest shard."""
    shares = [share for window in configuration.windows for share in _shares(run, window)]
    if not shares:
        return None
    taken = max(shares)
    scarce = taken >= NEARLY_ALL
    return Finding(
        claim=f"Of Postgres's connections {percent(taken)} were taken at most",
        component="ledger",
        mechanism=Mechanism.CONNECTIONS,
        status=Bearing.NOTED if scarce else Bearing.CLEARED,
        configuration=configuration.name,
        evidence=(Figure("connections taken", 100 * taken, "%"),),
        doubt="Postgres had hardly a connection left: gateways that reconnect are refused." if scarce else "",
    )


def _shares(run: Run, window: Window) -> list[float]:
    taken, most = (inside(samples_of(run, metric, window), window) for metric in (OPEN, MOST))
    limits = most.groupby("instance")["value"].max()
    peaks = taken.groupby("instance")["value"].max()
    return [float(peaks[name] / limits[name]) for name in peaks.index if name in limits.index and limits[name] > 0]
