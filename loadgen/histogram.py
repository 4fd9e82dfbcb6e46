"""The one shape of the lab's histograms. It needs no pandas, so a process that must start at once may have it."""

from __future__ import annotations

from hdrh.histogram import HdrHistogram

HISTOGRAM_MIN_NS = 1_000
HISTOGRAM_MAX_NS = 3_600_000_000_000
HISTOGRAM_DIGITS = 3


def new_histogram() -> HdrHistogram:
    """1 µs (in units of 512 ns) to 1 hour with 3 significant digits; histograms of this shape merge exactly."""
    return HdrHistogram(HISTOGRAM_MIN_NS, HISTOGRAM_MAX_NS, HISTOGRAM_DIGITS)
