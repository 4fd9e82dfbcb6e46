"""Kinds of evidence that are not a full processor: each names its mechanism where planted, and nobody where not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.bottleneck import Status, verdict
from analysis.connections import connections
from analysis.finding import Bearing, Finding, Mechanism
from analysis.memory import memory
from analysis.redis_work import redis_work
from analysis.residence import residence
from analysis.skew import skew
from analysis.statements import statements
from analysis.throttle import throttle
from analysis.waits import waits
from analysis.wal import wal
from loadgen.record import Run, Window
from tests.analysis.runs import STAGES, cpu, gateway_bound, stages, topologies
from tests.loadgen.synthetic import Series, write_run

QUOTAS = {"gateways.cpu_cores": 0.2, "ledger.cpu_cores": 0.4}


def sealed(folder: Path, *series: Series, per_s: float = 200, latency_ms: float = 100.0, **errors: int) -> Run:
    quotas = topologies(QUOTAS)
    given = {"topologies": quotas, "series": series, "latency_ms": latency_ms, "errors": errors}
    return Run.open(write_run(folder, {2: per_s}, **given))  # type: ignore[arg-type]


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1
    return found[0]


def growing(per_s: float) -> Callable[[Window, float], float]:
    return lambda _, second: per_s * second


def statement(text: str, calls: float, each_s: float) -> list[Series]:
    labels = {"statement": text}
    return [
        Series("pg_statement_calls", "ledger", lambda _, s: calls * s, "ledger-1", labels),
        Series("pg_statement_seconds", "ledger", lambda _, s: calls * each_s * s, "ledger-1", labels),
    ]


def sessions(of: dict[tuple[str, str], float]) -> list[Series]:
    samples = [
        Series("ledger_wait_samples_total", "ledger", growing(50 * n), "ledger-1", {"type": t, "event": e})
        for (t, e), n in of.items()
    ]
    return [Series("ledger_wait_ticks_total", "ledger", lambda _, s: 50 * s, "ledger-1"), *samples]


def test_a_statement_that_holds_an_order_for_most_of_its_time_is_the_limit(tmp_path: Path) -> None:
    slow = [*statement("INSERT INTO commands", 200, 0.080), *statement("SELECT 1", 200, 0.0001)]
    run = sealed(
        tmp_path, *cpu({"gateway": 0.05, "ledger": 0.05}), *stages({**STAGES, "ledger": 0.09}, 200), *slow,
        *sessions({("CPU", ""): 16.0}),
    )  # fmt: skip
    found = only(statements(run))
    assert (found.status, found.mechanism) == (Bearing.SUSPECTED, Mechanism.STATEMENT)
    assert "INSERT INTO commands" in found.claim
    assert verdict(run).limit == "ledger"


def test_a_statement_that_waits_for_a_lock_is_not_blamed_for_it(tmp_path: Path) -> None:
    series = [*stages({**STAGES, "ledger": 0.09}, 200), *statement("INSERT INTO commands", 200, 0.080)]
    run = sealed(tmp_path, *series, *sessions({("Lock", "tuple"): 15.0, ("CPU", ""): 1.0}))
    assert only(statements(run)).status is Bearing.CLEARED


def test_what_the_throttle_refuses_names_the_throttle_and_not_who_stands_behind_it(tmp_path: Path) -> None:
    run = sealed(tmp_path, *cpu({"gateway": 0.05}), *stages(STAGES, 200), latency_ms=10.0, http_429=6_000)
    assert only(throttle(run)).status is Bearing.SUSPECTED
    found = verdict(run)
    assert (found.limit, found.status) == ("throttle", Status.SUSPECTED)
    assert "rate limit of the throttle" in found.sentence
    assert not throttle(gateway_bound(tmp_path / "other"))


def test_one_full_instance_among_idle_siblings_is_suspected_of_uneven_load(tmp_path: Path) -> None:
    one = Series("cluster_cpu_seconds_total", "gateway", lambda _, s: 0.199 * s, "gateway-1")
    other = Series("cluster_cpu_seconds_total", "gateway", lambda _, s: 0.02 * s, "gateway-2")
    found = only(skew(sealed(tmp_path, one, other)))
    assert (found.status, found.component, found.mechanism) == (Bearing.SUSPECTED, "gateway", Mechanism.SKEW)
    assert not skew(gateway_bound(tmp_path / "other"))


def test_a_redis_whose_commands_cost_far_more_than_a_key_is_suspected_of_a_slow_command(tmp_path: Path) -> None:
    series = [*cpu({"redis": 0.95}), Series("redis_commands_processed_total", "redis", lambda _, s: 400 * s)]
    assert only(redis_work(sealed(tmp_path, *series))).status is Bearing.SUSPECTED
    quick = [*cpu({"redis": 0.95}), Series("redis_commands_processed_total", "redis", lambda _, s: 40_000 * s)]
    assert only(redis_work(sealed(tmp_path / "quick", *quick))).status is Bearing.CLEARED


def test_a_machine_without_memory_is_said_beside_the_verdict(tmp_path: Path) -> None:
    def run(name: str, free: float) -> Run:
        left = Series("node_memory_MemAvailable_bytes", "host", lambda *_: free * 24 * 1024**3)
        return sealed(tmp_path / name, *cpu({"gateway": 0.05}), *stages(STAGES, 200), left)

    assert any("short of memory" in doubt for doubt in verdict(run("short", 0.02)).doubt)
    assert only(memory(run("enough", 0.5))).status is Bearing.CLEARED


def test_a_postgres_without_connections_left_is_said(tmp_path: Path) -> None:
    series = [
        Series("pg_connections_open", "ledger", lambda *_: 98, "ledger-1"),
        Series("pg_connections_max", "ledger", lambda *_: 100, "ledger-1"),
    ]
    assert only(connections(sealed(tmp_path, *series))).status is Bearing.NOTED


def test_sessions_that_wait_for_data_files_are_told_from_those_that_wait_for_the_log(tmp_path: Path) -> None:
    rates = {
        "pg_wal_bytes": 200_000,
        "pg_wal_syncs": 100,
        "pg_wal_sync_seconds": 0.9,
        "pg_stat_database_xact_commit": 200,
    }
    log = [Series(name, "ledger", growing(rate), "ledger-1") for name, rate in rates.items()]
    slow = [*cpu({"ledger": 0.05}), *stages({**STAGES, "ledger": 0.09}, 200), *log]
    flooded = only(wal(sealed(tmp_path / "files", *slow, *sessions({("IO", "DataFileRead"): 9.0, ("CPU", ""): 1.0}))))
    assert (flooded.status, flooded.mechanism) == (Bearing.SUSPECTED, Mechanism.DATA_FILES)
    usual = only(wal(sealed(tmp_path / "log", *slow, *sessions({("IO", "WALSync"): 9.0, ("CPU", ""): 1.0}))))
    assert usual.status is Bearing.CLEARED
    assert usual.claim == "A sync of the WAL takes 9.00 ms and makes 2.0 commits durable"


def test_orders_that_share_a_commit_wait_for_it_and_not_for_the_network(tmp_path: Path) -> None:
    """29 orders in the ledger's stage on four connections, whose sessions all wait for the log."""
    slow = [*cpu({"gateway": 0.05, "ledger": 0.05}), *stages({**STAGES, "ledger": 0.145}, 200)]
    at_work = sessions({("IO", "WALSync"): 3.9})
    busy = Series("gateway_ledger_connections", "gateway", lambda *_: 4.0, "gateway-1", {"shard": "1", "state": "busy"})
    shared = only(waits(sealed(tmp_path / "shared", *slow, *at_work, busy, latency_ms=160)))
    assert (shared.component, shared.mechanism) == ("ledger", Mechanism.COMMIT)
    held = Series(
        "gateway_ledger_connections", "gateway", lambda *_: 29.0, "gateway-1", {"shard": "1", "state": "busy"}
    )
    away = only(waits(sealed(tmp_path / "away", *slow, *at_work, held, latency_ms=160)))
    assert (away.component, away.mechanism) == ("network gateway-ledger", Mechanism.NETWORK)


@pytest.mark.parametrize(("busy", "component"), [(0.8, "redis"), (0.05, "network gateway-redis")])
def test_a_long_publish_stage_is_that_of_a_busy_redis_or_of_the_way_to_it(
    tmp_path: Path, busy: float, component: str
) -> None:
    slow = stages({**STAGES, "publish": 0.020}, 200)
    commands = Series("redis_commands_processed_total", "redis", growing(200), "redis")
    run = sealed(tmp_path, *cpu({"gateway": 0.05, "redis": busy}), *slow, commands, latency_ms=30)
    assert [found.component for found in residence(run) if found.status is Bearing.SUSPECTED] == [component]
