"""Scraped samples as rates: counters that restart, scrapes that jitter, and many instances summed on one clock."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.memo import remembered
from loadgen.record import Run, Window

SECOND_NS = 1_000_000_000


def seconds_of(window: Window) -> np.ndarray:
    """Edges (ns) of the whole seconds of the measured interval; one more edge than there are seconds."""
    count = max(1, (window.measured_until_ns - window.measured_from_ns) // SECOND_NS)
    return window.measured_from_ns + SECOND_NS * np.arange(count + 1)


def monotonic(values: np.ndarray) -> np.ndarray:
    """A counter with its restarts taken out: after a fall it has counted from zero again."""
    steps = np.diff(values)
    steps = np.where(steps < 0, values[1:], steps)
    return np.concatenate(([0.0], np.cumsum(steps)))


def increase(samples: pd.DataFrame, window: Window, *by: str) -> np.ndarray:
    """Increase of a counter in each second of the measured interval, over all its instances; shape (seconds,).

    `samples` are rows of `Run.series`; `by` names the labels that, with the instance, tell one counter from another.
    Between two scrapes a counter is taken to grow evenly.
    """
    edges = seconds_of(window)
    total = np.zeros(len(edges) - 1)
    for _, rows in samples.groupby(["instance", *by], sort=False, dropna=False):
        if len(rows) > 1:
            rows = rows.sort_values("t_ns")
            times, grown = rows["t_ns"].to_numpy(dtype=float), monotonic(rows["value"].to_numpy(dtype=float))
            total += np.diff(np.interp(edges, *_reaching_out(times, grown)))
    return total


def _reaching_out(times: np.ndarray, grown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Continues a counter by one scrape interval at both ends, as a window seldom begins and ends at a scrape.

    Farther out it stands still: a part that died or was born in the window did nothing before and after.
    """
    step_ns = float(np.median(np.diff(times)))
    slopes = np.diff(grown)[[0, -1]] / np.diff(times)[[0, -1]]
    return (
        np.concatenate(([times[0] - step_ns], times, [times[-1] + step_ns])),
        np.concatenate(([grown[0] - slopes[0] * step_ns], grown, [grown[-1] + slopes[1] * step_ns])),
    )


def inside(samples: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Those of the measured interval."""
    return samples[(samples["t_ns"] >= window.measured_from_ns) & (samples["t_ns"] < window.measured_until_ns)]


@remembered
def samples_of(run: Run, metric: str, window: Window) -> pd.DataFrame:
    return run.series(metric, window)


def _chosen(run: Run, metric: str, window: Window, component: str | None, labels: dict[str, str]) -> pd.DataFrame:
    """Samples of the component (None: of any) whose labels are as given."""
    samples = samples_of(run, metric, window)
    if component is not None:
        samples = samples[samples["component"] == component]
    for label, value in labels.items():
        samples = samples[samples[label] == value] if label in samples else samples.iloc[0:0]
    return samples


def counter(run: Run, metric: str, window: Window, component: str | None = None, **labels: str) -> np.ndarray | None:
    """`increase` of the samples whose labels are as given; None where the window has no two of them."""
    samples = _chosen(run, metric, window, component, labels)
    if len(samples) < 2:
        return None
    return increase(samples, window, *_labels(samples))


def gauge(run: Run, metric: str, window: Window, component: str | None = None, **labels: str) -> np.ndarray | None:
    """Samples inside the measured interval, the instances summed at each scrape; None where there are none."""
    samples = inside(_chosen(run, metric, window, component, labels), window)
    if samples.empty:
        return None
    second = (samples["t_ns"] - window.measured_from_ns) // SECOND_NS
    keys = ["instance", *_labels(samples)]
    per_second = samples.assign(second=second).groupby(["second", *keys], dropna=False)["value"].mean()
    return np.asarray(per_second.groupby("second").sum().to_numpy(dtype=float))


def _labels(samples: pd.DataFrame) -> list[str]:
    fixed = {"t_ns", "value", "window", "component", "instance"}
    return [str(column) for column in samples.columns if column not in fixed]
