"""The dead-man's switch: who watches is dead when nothing is heard of it, so silence is what pages.

The rule Watchdog always fires; Alertmanager repeats it each second through SNS with the time of the freshest figures
(`data_at`). A dead or frozen Prometheus repeats an old time, a dead Alertmanager or SNS repeats nothing. The page goes
over the second channel. Until data is fresh again a RESOLVED is not believed: four resend delays after Prometheus died
Alertmanager resolves all that it was told, and nobody knows whether that is true (doubt.py keeps it).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable

from alerts.subscribers.notice import Alert, Status

TOPIC = "watchdog"
NAME = "DeadMan"
SILENT_AFTER_S = 9.3
"""A page within 10 s of the death. Healthy figures are 8.3 s old at most: scrape 1, resend delay 5, repetition 2."""


class DeadMan:
    """Armed by the first Watchdog that it hears: a cluster without alerting has nothing that could die."""

    def __init__(self, page: Callable[[list[Alert]], None], clock_s: Callable[[], float] = time.time) -> None:
        self._page, self._clock_s = page, clock_s
        self._data_at_s: float | None = None
        self.is_dead = False

    @property
    def is_armed(self) -> bool:
        return self._data_at_s is not None

    @property
    def age_s(self) -> float:
        """Of the freshest figures that were heard of."""
        return 0.0 if self._data_at_s is None else self._clock_s() - self._data_at_s

    def heard(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            with contextlib.suppress(ValueError):  # nothing in it that is a time: as good as silence
                if alert.is_firing:
                    self._data_at_s = max(self._data_at_s or 0.0, float(alert.data_at))

    def look(self) -> None:
        """Page if the silence has lasted, and take it back when data is fresh."""
        is_dead = self.age_s > SILENT_AFTER_S
        if is_dead is not self.is_dead:
            self.is_dead = is_dead
            self._page([self._alert()])

    def _alert(self) -> Alert:
        status = Status.FIRING if self.is_dead else Status.RESOLVED
        said = f"No fresh figures for {self.age_s:.0f} s: Prometheus, Alertmanager or SNS is dead; believe no RESOLVED"
        return Alert(NAME, status, "page", said, f"{NAME}/cluster")
