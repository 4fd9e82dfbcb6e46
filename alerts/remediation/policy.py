"""What a remediation may do, and how often: a closed list, each trouble once, and no more than a few in a while. Pure.

The list is short on purpose. No throttle is ever lifted: under overload that feeds it. A gateway that is full is given
more CPU, and so more comes to what is behind it; that is bounded: twice what it has, a core at most, and no more orders
than the throttle before it admits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

RATE_MAX, RATE_WINDOW_S = 5, 300.0
CORES_MAX = 1.0
"""A gateway is one event loop: with more than a core it cannot do more."""
REMEMBERED_MAX = 10_000


class Action(StrEnum):
    RESTART = "restart"  # a gateway
    TIGHTEN = "tighten_throttle"
    SCALE = "scale"  # a gateway's CPU quota


TARGETS: dict[Action, tuple[str, ...]] = {
    Action.RESTART: ("gateway-",),
    Action.TIGHTEN: ("haproxy",),
    Action.SCALE: ("gateway-",),
}
"""Action → how the names of its targets begin. Neither the engine nor a ledger is touched by a machine."""

REMEDIES: dict[str, Action] = {
    "GatewayHung": Action.RESTART,
    "AckLatencyBurn": Action.TIGHTEN,
    "GatewaySaturated": Action.SCALE,
}
"""Alert that pages → what is done about it; the others, and all tickets, wait for a person."""


WHOLE: dict[Action, str] = {Action.TIGHTEN: "haproxy"}
"""Action → its target where the alert is about all of the cluster and names no instance."""
LEAST_SHARE = 0.2
"""Of what the topology admits: a machine tightens no further."""


def tightened(now_per_s: int, topology_per_s: int) -> int:
    """Half of what is admitted now, and no less than a share of what the topology admits."""
    return max(now_per_s // 2, round(topology_per_s * LEAST_SHARE))


def scaled(now_cores: float) -> float:
    """Twice what it has now, and no more than `CORES_MAX`."""
    return min(2 * now_cores, CORES_MAX)


class Verdict(StrEnum):
    DO = "do"
    DONE_ALREADY = "done_already"
    NOT_ALLOWED = "not_allowed"
    TOO_OFTEN = "too_often"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`fingerprint` and `started_at` together name one trouble."""

    action: str
    target: str
    fingerprint: str
    started_at: str

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.action, self.fingerprint, self.started_at)


@dataclass(slots=True)
class Guard:
    """Says of each wanted action whether it may be done, and remembers those that were."""

    rate_max: int = RATE_MAX
    window_s: float = RATE_WINDOW_S
    _done: dict[tuple[str, str, str], None] = field(default_factory=dict)
    _recent_s: deque[float] = field(default_factory=deque)

    def verdict(self, wanted: Wanted, now_s: float) -> Verdict:
        allowed = [] if wanted.action not in set(Action) else TARGETS[Action(wanted.action)]
        if not any(wanted.target.startswith(name) for name in allowed) or not wanted.fingerprint:
            return Verdict.NOT_ALLOWED
        if wanted.key in self._done:
            return Verdict.DONE_ALREADY
        while self._recent_s and now_s - self._recent_s[0] > self.window_s:
            self._recent_s.popleft()
        if len(self._recent_s) >= self.rate_max:
            return Verdict.TOO_OFTEN
        self._recent_s.append(now_s)
        return Verdict.DO

    def succeeded(self, wanted: Wanted) -> None:
        """From now on it is not done again; a failed one may be."""
        self._done[wanted.key] = None
        if len(self._done) > REMEMBERED_MAX:
            del self._done[next(iter(self._done))]
