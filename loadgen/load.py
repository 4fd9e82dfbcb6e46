"""The `load:` of a campaign: a closed loop, users who wait for answers, or an open one, arrivals that do not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from deploy.documents import Fault
from loadgen import arrivals
from loadgen.arrivals import Arrivals

HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*:[^\s:]+")
"""`[user@]name:directory`, the directory of the checkout seen from the account's home; never an option of ssh."""

IN_FLIGHT_MAX_BY_SSH = 1_000
"""Through one connection: sshd's usual limit of descriptors is 1,024."""


class Section(BaseModel):
    """A part of a campaign's file: frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _host(text: str) -> str:
    if not HOST.fullmatch(text):
        raise ValueError("is no host; write [user@]name:directory, with the directory of a checkout there")
    return text


class Watchers(Section):
    """Clients of the market data beside the load: they hold a stream each, or ask for every book each `every_s`."""

    kind: Literal["none", "stream", "poll"] = "none"
    clients: Annotated[int, Field(gt=0, le=1_000)] = 20
    every_s: Annotated[float, Field(ge=0.01, le=60)] = 0.25


class Load(Section):
    """`users` send again `think_time_s` after the answer to the last command; `arrivals` are due whatever became of the
    earlier ones, with at most `in_flight_max` of them unanswered at a time."""

    users: Annotated[int, Field(gt=0, le=10_000)] | None = None
    think_time_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    arrivals: Arrivals | None = None
    in_flight_max: Annotated[int, Field(gt=0, le=10_000)] = 1_000
    warm_up_s: Annotated[float, Field(ge=0, le=3600)] = 4.0
    duration_s: Annotated[float, Field(gt=0, le=86_400)]
    timeout_s: PositiveFloat = 10.0
    workers: Annotated[int, Field(ge=0, le=64)] = 1
    """Generator processes on this machine; they share the load with those on `hosts`."""
    hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = ()
    """`[user@]name:directory` of machines with a checkout like this one, that ssh reaches; one process on each."""
    watchers: Watchers = Watchers()

    def faults(self, cores: int) -> list[Fault]:
        return [*self._misfits(), *self._faults_of_processes(cores)]

    def _misfits(self) -> Iterator[Fault]:
        """What of the arrivals would not come within a window."""
        window_s = self.warm_up_s + self.duration_s
        match self.arrivals:
            case arrivals.Replay(length_s=length_s, speed=speed) if length_s < window_s:
                said = f"lasts {length_s:.3g} s at speed {speed:g}, a window {window_s:g}"
                yield Fault(("load", "arrivals", "file"), f"{said}; shorten the window or play slower")
            case arrivals.Spike(at_s=at_s) if at_s >= self.duration_s:
                said = f"is {at_s:g}, and {self.duration_s:g} s are measured; let the spike come earlier"
                yield Fault(("load", "arrivals", "at_s"), said)

    def _faults_of_processes(self, cores: int) -> list[Fault]:
        where = ("load", "workers")
        if self.workers > cores:
            return [Fault(where, f"is {self.workers}, this machine has {cores} cores; use at most those")]
        if not self.processes:
            return [Fault(where, "is 0, and there are no hosts; use 1 or more, or name hosts")]
        if self.processes > 1 and isinstance(self.arrivals, arrivals.Replay):
            return [
                Fault(where, f"and hosts are {self.processes}; a replay's cancels need their orders' answers, use 1")
            ]
        if self.hosts and self.in_flight_max > IN_FLIGHT_MAX_BY_SSH * self.processes:
            most = IN_FLIGHT_MAX_BY_SSH * self.processes
            said = f"is {self.in_flight_max}; sshd has a descriptor for each of them, use at most {most}"
            return [Fault(("load", "in_flight_max"), said)]
        if twice := sorted({host for host in self.hosts if self.hosts.count(host) > 1}):
            return [Fault(("load", "hosts"), f"name {', '.join(twice)} twice; a host gets one worker")]
        return []

    @property
    def processes(self) -> int:
        """Of the generator, wherever they run."""
        return self.workers + len(self.hosts)

    def with_overrides(self, values: Mapping[str, Any]) -> Self:
        """Dotted name (`users`, `arrivals.rate_per_s`) → value. Raises ValidationError for what does not fit."""
        data = self.model_dump(mode="json", exclude_none=True)
        for name, value in values.items():
            *groups, last = name.split(".")
            inner = data
            for group in groups:
                inner = inner.setdefault(group, {})
            inner[last] = value
        return self.model_validate(data)

    def rate_per_s(self, seed: int) -> float | None:
        """Mean rate that is due in the measured part; None where users decide it."""
        return arrivals.rate_per_s(self.arrivals, seed, self.warm_up_s, self.duration_s) if self.arrivals else None

    @model_validator(mode="after")
    def _is_one_loop(self) -> Self:
        if (self.users is None) == (self.arrivals is None):
            raise ValueError(
                "has both users and arrivals; keep one" if self.users else "is empty; say users or arrivals"
            )
        return self
