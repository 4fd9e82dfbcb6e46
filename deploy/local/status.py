"""What the supervisor says of the cluster's parts; the values that `deploy.cluster` hands on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PartState(StrEnum):
    STARTING = "starting"
    UP = "up"
    HUNG = "hung"
    RESTARTING = "restarting"
    GIVEN_UP = "given up"
    STOPPED = "stopped"


class EventKind(StrEnum):
    DIED = "died"
    RESTARTED = "restarted"
    GIVEN_UP = "given_up"
    HUNG = "hung"
    ANSWERS = "answers"


@dataclass(frozen=True, slots=True)
class PartStatus:
    name: str
    component: str
    state: PartState
    address: str  # 127.0.0.1:port, empty where it does not listen
    pid: int | None
    cpu_seconds: float
    cpu_quota_cores: float | None
    memory_bytes: int
    restarts: int
    said: str  # what happened to it last, empty while nothing did


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    t_ns: int  # wall clock
    kind: EventKind
    part: str
    said: str
    log_end: str  # the last lines that the part wrote
