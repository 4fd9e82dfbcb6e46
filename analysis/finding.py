"""What an analysis says: a claim about one component, with the figures it rests on and the doubt that remains.

A finding never says more than its evidence. `bottleneck` weighs many of them into one verdict; the report shows all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

WORDS = {
    "gateway": "the gateways", "ledger": "Postgres", "engine": "the engine", "redis": "Redis", "haproxy": "HAProxy",
    "throttle": "the throttle",
}  # fmt: skip
"""How a component is called in a sentence."""


def in_words(component: str) -> str:
    return WORDS.get(component, component)


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


class Bearing(StrEnum):
    """What a finding says about its component."""

    SUSPECTED = "suspected"
    CLEARED = "cleared"
    NOTED = "noted"
    MISSING = "evidence missing"


class Mechanism(StrEnum):
    """How a component can hold throughput down (or latency up)."""

    CPU = "CPU"
    QUOTA = "CPU quota"
    COMMIT = "commit path"
    POOL = "connection pool"
    LOCK = "locks"
    RESPONSE = "response time"
    LOAD = "offered load"
    NOISE = "noise of the machine"
    SCALING = "scaling"
    MEASUREMENT = "measurement"
    DRIFT = "drift"
    NETWORK = "network delay"
    RUN_QUEUE = "run queue"
    REPLICAS = "number"
    STATEMENT = "one slow statement"
    THROTTLE = "rate limit"
    SKEW = "uneven load"
    MEMORY = "memory"
    SLOW_COMMAND = "slow command"
    CONNECTIONS = "connections"
    DATA_FILES = "data files"


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval and how it was had, since intervals of unlike origin must not be compared blindly."""

    low: float
    high: float
    method: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured or derived number. `unit` is for people: "orders/s", "µs", "%"."""

    name: str
    value: float
    unit: str
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """`configuration` is the one it holds for, "" if for the whole run; `doubt` is never empty for a suspicion."""

    claim: str
    component: str
    mechanism: Mechanism
    status: Bearing
    configuration: str = ""
    evidence: tuple[Figure, ...] = ()
    doubt: str = ""
    next_step: str = ""
