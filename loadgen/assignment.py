"""What the lab and its generator process say to each other, line by line, as JSON: one assignment in, reports out."""

from __future__ import annotations

from typing import Any

import msgspec


class Trading(msgspec.Struct, frozen=True):
    """An account and the key that speaks for it."""

    account: int
    api_key: str


class Assignment(msgspec.Struct, frozen=True):
    """One window's load. Keys travel through a pipe, so none is ever on a command line or on disk."""

    host: str
    port: int
    users: int
    think_time_s: float
    arrivals: dict[str, Any] | None
    """The open loop's, as in `loadgen.arrivals`; None: a closed loop."""
    in_flight_max: int
    warm_up_s: float
    duration_s: float
    timeout_s: float
    seed: int
    id_prefix: str
    trading: tuple[Trading, ...]
    symbols: tuple[str, ...]
    add: float
    cancel: float
    take: float
    receipts: str
    """The file that the receipts go to."""
    market: float = 0.5
    ioc: float = 0.0
    replace: float = 0.0
    workers: int = 1
    """Processes that share the load, those on `hosts` among them."""
    hosts: tuple[str, ...] = ()
    """Other machines with one worker each, as in `loadgen.load`."""
    worker: int = 0
    """Which of them this is, from 0."""
    is_fast_http_user: bool = False
    """Send with locust's own client instead, for comparison: no receipts, one and the same order each time."""


class Joined(msgspec.Struct, frozen=True):
    """A worker on another host."""

    host: str
    cores: int
    clock_ahead_ns: int
    """Of this machine's wall clock; taken off all that it notes."""
    clock_error_ns: int
    """By how much that may be wrong, either way."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """All that it needs is imported; the assignment may come."""


class Started(msgspec.Struct, frozen=True, tag="started"):
    started_ns: int
    measured_from_ns: int
    measured_until_ns: int
    joined: tuple[Joined, ...] = ()


class Second(msgspec.Struct, frozen=True, tag="second"):
    """What was in one second of load. Quantiles are of the ok answers that came in it, 0 where there was none."""

    t_ns: int
    """Its start."""
    requests: int
    outcomes: dict[str, int]
    offered: int
    """Requests that were due in it."""
    sent: int
    lag_ns: int
    """At its end, for how long the oldest request that was due had waited to be sent (open loop)."""
    p50_ns: int
    p99_ns: int
    in_flight: int
    cpu_seconds: float
    """Of all processes of the generator on this machine."""
    busiest_cpu_seconds: float
    """Of the busiest process, wherever it runs."""
    wake_lag_p99_ns: int
    schedule_error_p99_ns: int
    """By how much requests went out later than they could have: the generator's own lateness."""
    workers_lost: int = 0
    """Workers that fell silent; what they were to send is missing."""
    hosts_wake_lag_p99_ns: int = 0
    """By how much timers woke a worker on another host late: what stops that machine is not seen from here."""


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    ended_ns: int
    is_whole: bool
    """False where it was told to stop before the time was up."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    reason: str
    disk_is_full: bool


Report = Ready | Started | Second | Ended | Failed
decode_report = msgspec.json.Decoder(Report).decode
encode = msgspec.json.Encoder().encode
