"""What the lab hears while a window is under load: of the generator each second, and of the machine meanwhile."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.cluster import Cluster, ClusterError
from loadgen.assignment import Ended, Second, Started
from loadgen.generator import Generator
from loadgen.live import Beat, Show
from loadgen.noise import Noise, NoiseMeter

Starts = Sequence[Callable[[int], None]]
"""Each is told when the measured part begins (ns), once that is known."""


class Listener:
    """Within its context it may `listen`; when that is left it has the machine's `noise`.

    Each second is shown, with its place in the campaign, and put before Prometheus.
    """

    def __init__(self, cluster: Cluster, window: str, show: Show, rest_s: float, sleeper_log: Path) -> None:
        """`rest_s` is what the campaign takes after this window."""
        self.started: Started | None = None
        self.seconds: list[Second] = []
        self.cut_ns: int | None = None
        """When Ctrl-C came."""
        self.ended_ns = 0
        self._cluster, self._window, self._show, self._rest_s = cluster, window, show, rest_s
        self._sleeper_log = sleeper_log
        self._meter: NoiseMeter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._meter is not None:
            self._meter.__exit__(kind, error, trace)

    @property
    def noise(self) -> Noise:
        assert self._meter is not None
        return self._meter.noise

    def listen(self, generator: Generator, starts: Starts) -> None:
        """Until it has ended. The first Ctrl-C asks it to stop and goes on listening; a second one is raised."""
        try:
            self._hear(generator, starts)
        except KeyboardInterrupt:
            self.cut_ns = time.time_ns()
            if self._meter:
                self._meter.stop()
            generator.stop()
            self._hear(generator, starts)

    def _hear(self, generator: Generator, starts: Starts) -> None:
        for report in generator:
            match report:
                case Started():
                    self._begin(report)
                    for start in starts:
                        start(report.measured_from_ns)
                case Second():
                    self.seconds.append(report)
                    self._cluster.show_load(figures_of(report))
                    self._tell(report)
                case Ended():
                    self.ended_ns = report.ended_ns
                    self._cluster.show_load({})

    def _begin(self, started: Started) -> None:
        self._meter = NoiseMeter(started.measured_from_ns, started.measured_until_ns, self._sleeper_log, self._used_s)
        self._cluster.host(self._meter.pid)
        self.started = started

    def _used_s(self) -> float | None:
        """CPU seconds of all that is the lab's: the cluster, whom it hosts, and this process."""
        with contextlib.suppress(ClusterError):  # it has ended, which others say
            used_s = self._cluster.cpu_seconds()
            return None if used_s is None else used_s + time.process_time()
        return None

    def _tell(self, second: Second) -> None:
        if self.started is None or second.t_ns >= self.started.measured_until_ns:
            return
        left_s = max(self.started.measured_until_ns - second.t_ns - 10**9, 0) / 1e9
        stage = "warming up" if second.t_ns < self.started.measured_from_ns else "measuring"
        self._show(Beat(self._window, stage, second, len(self.seconds), left_s, left_s + self._rest_s))


def figures_of(second: Second) -> dict[str, dict[str, float]]:
    """The generator's signals in one second."""
    return {
        "generator_offered_total": {"": second.offered},
        "generator_sent_total": {"": second.sent},
        "generator_ended_total": dict(second.outcomes),
        "generator_in_flight": {"": second.in_flight},
        "generator_lag_seconds": {"": second.lag_ns / 1e9},
        "generator_schedule_error_p99_seconds": {"": second.schedule_error_p99_ns / 1e9},
        "generator_wake_lag_p99_seconds": {"": second.wake_lag_p99_ns / 1e9},
        "generator_latency_seconds": {"0.5": second.p50_ns / 1e9, "0.99": second.p99_ns / 1e9},
    }
