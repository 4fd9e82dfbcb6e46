"""Ends that came while the dead-man was up: nobody knew whether they were true, and Alertmanager tells an end once.

They are kept until they can be believed: an alert that goes on is told again soon after the figures are fresh, and its
end is then forgotten; what has stayed silent for so long has truly ended. Pure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from alerts.subscribers.notice import Alert

BELIEVED_AFTER_S = 60.0
"""Of fresh figures without a break. A Prometheus that was started anew needs a rule's `for` once more, then come the
group's wait and the telling: 17 s for the longest; the rest is for a scrape, a resend and a slow machine."""
KEPT_MAX = 1_000
"""Beyond it the oldest are forgotten, and a person closes what they were about."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An end and the topic that it came by."""

    topic: str
    alert: Alert


@dataclass(slots=True)
class Doubt:
    clock_s: Callable[[], float] = time.monotonic
    _ends: dict[str, Ended] = field(default_factory=dict)
    _fresh_since_s: float | None = None

    def __len__(self) -> int:
        return len(self._ends)

    def sift(self, topic: str, alerts: Iterable[Alert], is_dead: bool) -> list[Alert]:
        """What may be passed on now; the ends of this moment are kept while the dead-man is up."""
        passed = []
        for alert in alerts:
            self._ends.pop(alert.fingerprint, None)  # it fires again, or this end is the newer one
            if alert.is_firing or not is_dead:
                passed.append(alert)
            else:
                self._ends[alert.fingerprint] = Ended(topic, alert)
        while len(self._ends) > KEPT_MAX:
            del self._ends[next(iter(self._ends))]
        return passed

    def settled(self, is_dead: bool) -> list[Ended]:
        """Those that can be believed by now, once. To be asked again and again: it sees when figures are fresh."""
        if is_dead:
            self._fresh_since_s = None
            return []
        now_s = self.clock_s()
        if self._fresh_since_s is None:
            self._fresh_since_s = now_s
        if now_s - self._fresh_since_s < BELIEVED_AFTER_S:
            return []
        ended = list(self._ends.values())
        self._ends.clear()
        return ended
