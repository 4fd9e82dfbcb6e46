"""Turns what the connections report into log lines and metrics; the same trouble is logged once a second at most."""

from __future__ import annotations

import time
from collections.abc import Callable

from target_system.telemetry import Telemetry

QUIET_S = 1.0


class Seldom:
    """True at most once in QUIET_S for the same key."""

    def __init__(self) -> None:
        self._said_at: dict[str, float] = {}

    def __call__(self, key: str) -> bool:
        now = time.monotonic()
        if now - self._said_at.get(key, -QUIET_S) < QUIET_S:
            return False
        self._said_at[key] = now
        return True


class EngineEvents:
    def __init__(self, telemetry: Telemetry, target: str) -> None:
        self._log, self._target, self._seldom = telemetry.log, target, Seldom()
        self.batch_sent = telemetry.metrics.get("gateway_engine_batch_commands").observe
        self._streams = telemetry.metrics.get("gateway_engine_streams_total")

    def connected(self, resent: int) -> None:
        self._streams.inc()
        self._log.info("engine_connected", target=self._target, resent=resent)

    def lost(self, error: str, pending: int) -> None:
        if self._seldom("lost"):
            self._log.warning("engine_lost", target=self._target, error=error, pending=pending)

    def unlike(self, error: str) -> None:
        if self._seldom("unlike"):
            self._log.error("engine_unlike", target=self._target, error=error)


class LedgerEvents:
    def __init__(self, telemetry: Telemetry) -> None:
        self._log, self._seldom = telemetry.log, Seldom()
        self._lost: set[str] = set()

    def connected(self, shard: str) -> None:
        if shard in self._lost:
            self._lost.discard(shard)
            self._log.info("ledger_connected", shard=shard)

    def lost(self, shard: str, error: str) -> None:
        self._lost.add(shard)
        if self._seldom(shard):
            self._log.warning("ledger_lost", shard=shard, error=error)


def redis_events(telemetry: Telemetry) -> Callable[[str], None]:
    """Takes an error, or an empty text when Redis answers again."""
    seldom = Seldom()

    def on_state(error: str) -> None:
        if not error:
            telemetry.log.info("redis_back")
        elif seldom("away"):
            telemetry.log.warning("redis_away", error=error)

    return on_state


def risk_events(telemetry: Telemetry) -> Callable[[str], None]:
    seldom = Seldom()

    def on_trouble(error: str) -> None:
        if seldom("trouble"):
            telemetry.log.warning("risk_lagging", error=error)

    return on_trouble
