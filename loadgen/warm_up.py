"""Where the warm-up of a window really ended: MSER-5, so that a warm-up set too short does not pass into the figures.

MSER-5 (White, Cobb and Spratt 2000, "A comparison of five steady-state truncation heuristics for simulation", Winter
Simulation Conference) takes means of five observations and cuts as many of them as make the standard error of the mean
of the rest smallest. It may cut half at most: where it would cut more, the window never became steady, nothing is cut
and `analysis.drift` says so. On pure noise it cuts a little for nothing, and a stall it would cut away with all before
it. So a cut must also tell: what is cut, and its first quarter as well, have to differ from the rest by more than
chance. An incident that begins later is no warm-up, and stays in the figures.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loadgen.receipts import OK

BATCH = 5
BIN_NS = 200_000_000
TELLING = 4.0
"""Standard errors between the mean of what is cut and that of the rest."""

Values = npt.NDArray[np.float64]


def cut(values: Values) -> int:
    """How many of the first observations are warm-up; 0 where nothing is, or nothing is steady."""
    count = len(values) // BATCH
    if count < 4:
        return 0
    batches = values[: count * BATCH].reshape(count, BATCH).mean(axis=1)
    errors = [float(batches[first:].var() / (count - first)) for first in range(count - 2)]
    first = int(np.argmin(errors))
    if first == 0 or first > count // 2:
        return 0
    rest = batches[first:]
    starts = (batches[:first], batches[: max(1, first // 4)])
    return first * BATCH if all(_differs(start, rest) for start in starts) else 0


def _differs(start: Values, rest: Values) -> bool:
    error = max(float(rest.std(ddof=1)) / np.sqrt(min(len(start), len(rest))), 1e-12)
    return bool(abs(start.mean() - rest.mean()) > TELLING * error)


def steady_from_ns(receipts: npt.NDArray[np.void], started_ns: int, until_ns: int) -> int:
    """The end of the warm-up by throughput and by latency, whichever is later; `receipts` are a window's rows."""
    ok = receipts[(receipts["outcome"] == OK) & (receipts["answered_ns"] < until_ns)]
    bins = max((until_ns - started_ns) // BIN_NS, 1)
    which = (ok["answered_ns"] - started_ns) // BIN_NS
    inside = (which >= 0) & (which < bins)
    counts = np.bincount(which[inside], minlength=bins).astype(float)
    taken = (ok["answered_ns"] - ok["intended_ns"])[inside].astype(float)
    sums = np.bincount(which[inside], weights=taken, minlength=bins)
    means = sums[counts > 0] / counts[counts > 0]
    places = np.flatnonzero(counts > 0)
    by_latency = int(places[cut(means)]) if len(places) else 0
    return int(started_ns + max(cut(counts), by_latency) * BIN_NS)
