"""`python -m target_system.ledger.wait_sampler`: what a ledger's sessions wait for, asked twenty times a second.

Postgres 15 keeps no sums of wait events, and a scrape a second sees too few of them to tell a commit from a lock. So
the sessions that work are counted at every tick; samples over ticks is the average number of active sessions in each
wait event, the ASH method (a session that works and waits for nothing is on a processor). A tick costs one statement.
Settings come from the environment, prefix WAIT_SAMPLER_.
"""

from __future__ import annotations

import signal
import threading

import psycopg
from prometheus_client import start_http_server

from target_system.settings import WaitSamplerSettings, read_settings
from target_system.telemetry import Metrics

ACTIVE = """
    SELECT coalesce(wait_event_type, 'CPU'), coalesce(wait_event, 'CPU'), count(*)
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND state = 'active' AND pid <> pg_backend_pid()
    GROUP BY 1, 2
"""
CONNECT_DEADLINE_S = 2
RECONNECT_PAUSE_S = 0.5


class Sampler:
    """Ticks until `stop` is set; while the ledger is away it counts nothing, so no tick without its samples."""

    def __init__(self, settings: WaitSamplerSettings, metrics: Metrics, stop: threading.Event) -> None:
        self._settings, self._metrics, self._stop = settings, metrics, stop

    def run(self) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(
                    self._settings.dsn,
                    autocommit=True,
                    connect_timeout=CONNECT_DEADLINE_S,
                    application_name="wait-sampler",
                    options=f"-c statement_timeout={self._settings.statement_timeout_ms}",
                ) as ledger:
                    self._tick_until_stopped(ledger)
            except psycopg.Error:
                self._metrics.get("ledger_wait_sampler_lost_total").inc()
                self._stop.wait(RECONNECT_PAUSE_S)

    def _tick_until_stopped(self, ledger: psycopg.Connection[tuple[str, str, int]]) -> None:
        while not self._stop.wait(1 / self._settings.ticks_per_s):
            found = ledger.execute(ACTIVE, prepare=True).fetchall()
            self._metrics.get("ledger_wait_ticks_total").inc()
            for kind, event, sessions in found:
                self._metrics.get("ledger_wait_samples_total", kind, event).inc(sessions)


def main() -> None:
    settings = read_settings(WaitSamplerSettings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    metrics = Metrics("wait_sampler")
    server, thread = start_http_server(settings.port, settings.host, metrics.registry)
    Sampler(settings, metrics, stop).run()
    server.shutdown()
    thread.join()


if __name__ == "__main__":
    main()
