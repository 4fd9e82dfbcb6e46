"""When the requests of an open loop are due: schedules as pure functions of a seed.

Every kind but a replay is a rate over time, piecewise linear, and one rule makes moments of it: the events of a process
of rate one are carried through the inverse of the integrated rate (the time change of a Poisson process; Cinlar,
Introduction to Stochastic Processes, 1975, section 4.7). With exponential gaps the result is the Poisson process of
that rate, with gaps of one an evenly spaced schedule. Times count from the start of the warm-up, which runs at the rate
that the measured part begins with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, TypeAdapter, model_validator

from loadgen.recording import Message, read

ROOT = Path(__file__).resolve().parent.parent
Moments = npt.NDArray[np.int64]

Rate = Annotated[float, Field(gt=0, le=100_000)]
"""Requests a second; more than any one machine can send."""
CHUNK = 4096
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """A rate that goes linearly from one value to another."""

    length_s: float
    from_per_s: float
    to_per_s: float

    @property
    def events(self) -> float:
        """How many are expected in it."""
        return self.length_s * (self.from_per_s + self.to_per_s) / 2


class Kind(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def stretches(self, duration_s: float, _: np.random.Generator, /) -> list[Stretch]:
        """The rate over the measured part."""
        raise NotImplementedError

    @property
    def is_even(self) -> bool:
        return False


class Constant(Kind):
    """Evenly spaced."""

    kind: Literal["constant"]
    rate_per_s: Rate

    @property
    def is_even(self) -> bool:
        return True

    def stretches(self, duration_s: float, _: np.random.Generator, /) -> list[Stretch]:
        return [Stretch(duration_s, self.rate_per_s, self.rate_per_s)]


class Poisson(Kind):
    """Independent clients: exponential gaps."""

    kind: Literal["poisson"]
    rate_per_s: Rate

    def stretches(self, duration_s: float, _: np.random.Generator, /) -> list[Stretch]:
        return [Stretch(duration_s, self.rate_per_s, self.rate_per_s)]


class Bursts(Kind):
    """Markov-modulated Poisson: calm and burst take turns, each for an exponential time of the given mean."""

    kind: Literal["bursts"]
    rate_per_s: Rate
    burst_per_s: Rate
    calm_s: PositiveFloat = 2.0
    burst_s: PositiveFloat = 0.2

    def stretches(self, duration_s: float, draw: np.random.Generator, /) -> list[Stretch]:
        found, left_s, is_burst = [], duration_s, False
        while left_s > 0:
            length_s = min(left_s, max(draw.exponential(self.burst_s if is_burst else self.calm_s), 1e-6))
            rate = self.burst_per_s if is_burst else self.rate_per_s
            found.append(Stretch(length_s, rate, rate))
            left_s, is_burst = left_s - length_s, not is_burst
        return found


class Ramp(Kind):
    """Poisson at a rate that goes linearly from one value to another over the measured part."""

    kind: Literal["ramp"]
    from_per_s: Rate
    to_per_s: Rate

    def stretches(self, duration_s: float, _: np.random.Generator, /) -> list[Stretch]:
        return [Stretch(duration_s, self.from_per_s, self.to_per_s)]


class Step(Kind):
    """Poisson at one rate after the other, each for an equal part of the measured time."""

    kind: Literal["step"]
    rates_per_s: Annotated[tuple[Rate, ...], Field(min_length=2)]

    def stretches(self, duration_s: float, _: np.random.Generator, /) -> list[Stretch]:
        return [Stretch(duration_s / len(self.rates_per_s), rate, rate) for rate in self.rates_per_s]


class Spike(Kind):
    """Poisson at a base rate, and for a moment at a peak; `at_s` counts from the start of the measured part."""

    kind: Literal["spike"]
    rate_per_s: Rate
    peak_per_s: Rate
    at_s: PositiveFloat
    for_s: PositiveFloat

    def stretches(self, duration_s: float, _: np.random.Generator, /) -> list[Stretch]:
        until_s = min(self.at_s, duration_s)
        peak_s = min(self.for_s, duration_s - until_s)
        after_s = duration_s - until_s - peak_s
        rates = ((until_s, self.rate_per_s), (peak_s, self.peak_per_s), (after_s, self.rate_per_s))
        return [Stretch(length_s, rate, rate) for length_s, rate in rates if length_s > 0]


class Soak(Kind):
    """Poisson whose rate swings slowly around its mean like a trading day, so that what follows the load can be told
    from what only grows: whole periods, equal means."""

    kind: Literal["soak"]
    rate_per_s: Rate
    swing: Annotated[float, Field(ge=0, lt=1)] = 0.2
    period_s: PositiveFloat = 120.0

    def stretches(self, duration_s: float, _: np.random.Generator, /) -> list[Stretch]:
        quarters = 4 * max(1, round(duration_s / self.period_s))
        low, high = self.rate_per_s * (1 - self.swing), self.rate_per_s * (1 + self.swing)
        corners = (self.rate_per_s, high, self.rate_per_s, low)
        return [
            Stretch(duration_s / quarters, corners[quarter % 4], corners[(quarter + 1) % 4])
            for quarter in range(quarters)
        ]


class Replay(Kind):
    """The moments of a recording, `speed` times as fast, from the start of the warm-up."""

    kind: Literal["replay"]
    file: Path
    """As seen from the top of the checkout."""
    speed: Annotated[float, Field(gt=0, le=1000)] = 1.0
    symbol: str | None = None
    """The topology's first one if left out."""

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        self.recording()
        return self

    def recording(self) -> tuple[Message, ...]:
        """Raises RecordingError."""
        return read(ROOT / self.file)

    @property
    def length_s(self) -> float:
        messages = self.recording()
        return (messages[-1].time_ns - messages[0].time_ns) / SECOND_NS / self.speed

    def moments_ns(self, length_s: float) -> Moments:
        times_ns = np.array([message.time_ns for message in self.recording()], np.int64)
        moments: Moments = ((times_ns - times_ns[0]) / self.speed).astype(np.int64)
        return moments[moments < length_s * SECOND_NS]


Arrivals = Annotated[Replay | Constant | Poisson | Bursts | Ramp | Step | Spike | Soak, Field(discriminator="kind")]


_PARSED: TypeAdapter[Kind] = TypeAdapter(Arrivals)


def parsed(plain: Mapping[str, Any]) -> Kind:
    """From plain data, as a campaign has it."""
    return _PARSED.validate_python(plain)


def rates(arrivals: Kind, seed: int, warm_up_s: float, duration_s: float) -> list[Stretch]:
    """Warm-up and measured part."""
    measured = arrivals.stretches(duration_s, np.random.default_rng([seed, 1]))
    first = measured[0].from_per_s
    return [Stretch(warm_up_s, first, first), *measured] if warm_up_s > 0 else measured


def rate_per_s(arrivals: Kind, seed: int, warm_up_s: float, duration_s: float) -> float:
    """The mean rate expected in the measured part."""
    if isinstance(arrivals, Replay):
        due_ns = arrivals.moments_ns(warm_up_s + duration_s)
        return int(np.sum(due_ns >= warm_up_s * SECOND_NS)) / duration_s
    return sum(stretch.events for stretch in rates(arrivals, seed, 0, duration_s)) / duration_s


def schedule(arrivals: Kind, seed: int, warm_up_s: float, duration_s: float) -> Iterator[Moments]:
    """Nanoseconds from the start of the warm-up, ascending, by chunks: an hour needs no more memory than a second."""
    if isinstance(arrivals, Replay):
        yield arrivals.moments_ns(warm_up_s + duration_s)
        return
    through = _Inverse(rates(arrivals, seed, warm_up_s, duration_s))
    draw = np.random.default_rng([seed, 2])
    reached = 0.0
    while reached < through.events:
        gaps = np.ones(CHUNK) if arrivals.is_even else draw.exponential(1.0, CHUNK)
        events = reached + np.cumsum(gaps)
        reached = float(events[-1])
        yield through.moments_ns(events[events <= through.events])


class _Inverse:
    """From counts of expected events back to time."""

    def __init__(self, stretches: list[Stretch]) -> None:
        self._first = np.array([stretch.from_per_s for stretch in stretches])
        self._slope = np.array([(s.to_per_s - s.from_per_s) / s.length_s for s in stretches])
        self._starts_s = np.cumsum([0.0, *(stretch.length_s for stretch in stretches)])
        self._reached = np.cumsum([0.0, *(stretch.events for stretch in stretches)])

    @property
    def events(self) -> float:
        return float(self._reached[-1])

    def moments_ns(self, events: npt.NDArray[np.float64]) -> Moments:
        """Solves first t + slope t^2 / 2 = events within its stretch, in the form that loses no digits."""
        within = np.clip(np.searchsorted(self._reached, events, side="right") - 1, 0, len(self._first) - 1)
        left, first = events - self._reached[within], self._first[within]
        root = np.sqrt(np.maximum(first**2 + 2 * self._slope[within] * left, 0.0))
        seconds = self._starts_s[within] + 2 * left / (first + root)
        moments: Moments = (seconds * SECOND_NS).astype(np.int64)
        return moments
