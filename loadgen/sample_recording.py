"""A small recording in LOBSTER's message format, made by us, since published ones may not be passed on.

`python -m loadgen.sample_recording > loadgen/campaigns/recordings/session.csv` writes the one of campaigns/replay.yaml:
half a minute of one symbol in bursts, orders near a price that walks, their deletions and executions.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from random import Random

from loadgen.recording import PRICE_UNITS_A_TICK, Type

OPENS_AT_S = 34_200.0  # 9:30, as LOBSTER counts from midnight
CALM_PER_S, BURST_PER_S = 60.0, 400.0
CHANGES_PER_S = 0.5
"""Between calm and burst, and back four times as soon."""
MIDDLE_TICKS = 10_000
RESTING_MIN = 40
"""Below it the book only grows."""

Row = tuple[str, int, int, int, int, int]
Order = tuple[int, int, int, int]
"""Id, lots, price in ticks, direction."""


def session(seed: int, length_s: float) -> Iterator[Row]:
    """Rows of `time, type, order id, size, price, direction`; the same ones for the same seed."""
    draw = Random(seed)
    resting: list[Order] = []
    middle = MIDDLE_TICKS
    for number, at_s in enumerate(_moments(draw, length_s), start=1):
        middle += draw.choice((-1, 0, 0, 0, 1))
        kind = _kind(draw, len(resting))
        if kind is Type.NEW:
            direction = draw.choice((1, -1))
            order = (number, draw.randint(1, 20), middle - direction * draw.randint(1, 12), direction)
            resting.append(order)
        else:
            order = _taken(draw, resting) if kind is Type.EXECUTION else resting.pop(draw.randrange(len(resting)))
        order_id, lots, price, direction = order
        yield f"{OPENS_AT_S + at_s:.9f}", int(kind), order_id, lots, price * PRICE_UNITS_A_TICK, direction


def _moments(draw: Random, length_s: float) -> Iterator[float]:
    """A Markov-modulated Poisson process of two states (Fischer and Meier-Hellstern 1993)."""
    at_s, is_burst = 0.0, False
    change_s = draw.expovariate(CHANGES_PER_S)
    while True:
        at_s += draw.expovariate(BURST_PER_S if is_burst else CALM_PER_S)
        if at_s >= length_s:
            return
        if at_s >= change_s:
            is_burst = not is_burst
            change_s = at_s + draw.expovariate(CHANGES_PER_S * (4 if is_burst else 1))
        yield at_s


def _kind(draw: Random, resting: int) -> Type:
    if resting < RESTING_MIN:
        return Type.NEW
    return draw.choices((Type.NEW, Type.DELETION, Type.EXECUTION), (0.5, 0.35, 0.15))[0]


def _taken(draw: Random, resting: list[Order]) -> Order:
    """The best order of one side, whole."""
    direction = draw.choice([order[3] for order in resting])
    best = max(
        (order for order in resting if order[3] == direction), key=lambda order: (order[3] * order[2], -order[0])
    )
    resting.remove(best)
    return best


if __name__ == "__main__":
    csv.writer(sys.stdout, lineterminator="\n").writerows(session(seed=1, length_s=30.0))
