"""Each kind of fault of the stores and of the ways to them: seen while it stands, then gone, the cluster whole."""

from __future__ import annotations

import threading

import psycopg
import pytest
import redis

from deploy.cluster import Cluster
from deploy.faults import catalogue
from deploy.faults.failing_rows import FailingRows
from deploy.faults.fault import inflicted
from deploy.faults.hot_row import HotRow
from deploy.faults.idle_connections import IdleConnections
from deploy.faults.network import Bandwidth, Latency, Reset, Timeout
from deploy.faults.redis_client import redis_of
from deploy.faults.redis_flush import RedisFlush
from deploy.faults.redis_memory import RedisMemory
from deploy.faults.skipped_trades import SkippedTrades
from deploy.faults.slow_history import SlowHistory
from deploy.faults.slow_sync import SlowSync
from deploy.faults.table_lock import TableLock
from deploy.faults.wrong_ledger import LostCommand, RepeatedTrade
from deploy.faults.wrong_redis import CrossedBook, WrongPosition
from tests.deploy.faults.orders import (
    a_trade,
    fastest_ms,
    name_of,
    order,
    says,
    takes_orders,
)
from tests.deploy.live import until

pytestmark = pytest.mark.slow
SLOW_MS = 200
TRADES = 40
"""One after the other they take longer than the history stands still."""


@pytest.mark.parametrize(
    "fault",
    [
        Latency(link="gateway-ledger", latency_ms=SLOW_MS),
        Latency(link="gateway-engine", latency_ms=SLOW_MS),
        Latency(link="haproxy-gateway", latency_ms=SLOW_MS, stream="upstream"),
        SlowSync(part="ledger-1", delay_ms=SLOW_MS),
        SlowSync(part="engine", delay_ms=SLOW_MS),
        HotRow(held_ms=SLOW_MS),
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.model_dump().values()),
)
def test_what_makes_orders_slow_does_so_until_it_is_reverted(cluster: Cluster, fault: catalogue.Fault) -> None:
    with inflicted(cluster, fault):
        assert fastest_ms(cluster, tries=2) >= SLOW_MS
    assert fastest_ms(cluster) < SLOW_MS


def test_a_slow_way_to_redis_delays_an_answer_no_longer_than_its_deadline(cluster: Cluster) -> None:
    with inflicted(cluster, Latency(link="gateway-redis", latency_ms=4_000)):
        assert 90 <= fastest_ms(cluster, tries=1) < 4_000


def test_a_link_of_little_bandwidth_makes_an_answer_slow(cluster: Cluster) -> None:
    with inflicted(cluster, Bandwidth(link="haproxy-gateway", kilobytes_per_s=1)):
        assert fastest_ms(cluster, tries=2) >= 100  # an answer has some 300 bytes
    assert fastest_ms(cluster) < 100


@pytest.mark.parametrize(
    "fault",
    [Timeout(link="gateway-ledger"), TableLock()],
    ids=lambda fault: "-".join(str(value) for value in fault.model_dump().values()),
)
def test_an_order_whose_fate_the_ledger_does_not_tell_is_in_doubt(cluster: Cluster, fault: catalogue.Fault) -> None:
    with inflicted(cluster, fault):
        answer = order(cluster)
        assert answer is not None
        assert answer.status_code == 504


def test_a_reset_between_commit_and_answer_does_the_work_once(cluster: Cluster) -> None:
    with inflicted(cluster, Reset(link="gateway-ledger")):
        answer = order(cluster)
        assert answer is not None
        assert answer.status_code != 201
        until(lambda: times_recorded(cluster, name_of(answer)) == 1, "it was committed all the same")


def times_recorded(cluster: Cluster, client_order_id: str) -> int:
    with psycopg.connect(cluster.secrets.ledger_dsns[0]) as session:
        sql = "SELECT FROM commands WHERE client_order_id = %s"
        return session.execute(sql, [client_order_id]).rowcount


def test_idle_connections_are_there_until_it_is_reverted(cluster: Cluster) -> None:
    def idle(session: psycopg.Connection[tuple[int]]) -> int:
        found = session.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fault'").fetchone()
        assert found is not None
        return found[0]

    with psycopg.connect(cluster.secrets.ledger_dsns[0], autocommit=True) as session:
        with inflicted(cluster, IdleConnections(count=7)):
            assert idle(session) == 7
        until(lambda: idle(session) == 0, "they are gone")


def test_an_emptied_redis_is_rebuilt_from_the_ledger(cluster: Cluster) -> None:
    with redis_of(cluster) as client:
        until(lambda: client.get("projection:watermark") or client.dbsize(), "Redis holds something")
        held = client.dbsize()
        with inflicted(cluster, RedisFlush()):
            pass
        until(lambda: client.dbsize() >= held, "the settler has rebuilt it")


def test_redis_with_too_little_memory_refuses_writes_and_orders_are_taken_all_the_same(cluster: Cluster) -> None:
    with redis_of(cluster) as client:
        before = client.config_get("maxmemory")
        with inflicted(cluster, RedisMemory(max_kb=100)):
            with pytest.raises(redis.OutOfMemoryError):
                client.set("probe", "1")
            until(lambda: takes_orders(cluster), "orders are taken")
        assert client.config_get("maxmemory") == before


def test_a_ledger_that_refuses_rows_leaves_orders_in_doubt_and_the_settler_closes_the_holes(cluster: Cluster) -> None:
    with inflicted(cluster, FailingRows(share=1.0)):
        answer = order(cluster)
        assert answer is not None
        assert answer.status_code == 504
    until(lambda: takes_orders(cluster), "orders are taken")
    until(lambda: times_recorded(cluster, name_of(answer)) == 1, "the order in doubt is recorded")


@pytest.mark.parametrize(
    ("fault", "gauge"),
    [
        (LostCommand(), "lost_commands"),
        (RepeatedTrade(), "repeated_trades"),
        (WrongPosition(), "unbalanced_positions"),
        (CrossedBook(), "crossed_books"),
    ],
)
def test_what_the_stores_may_not_hold_is_seen_by_the_auditor_until_it_is_mended(
    cluster: Cluster, fault: catalogue.Fault, gauge: str
) -> None:
    def found() -> float:
        return says(cluster, "settler", f"settler_audit_{gauge}")

    def has_an_old_command() -> object:
        with psycopg.connect(cluster.secrets.ledger_dsns[0]) as session:
            sql = "SELECT FROM commands WHERE recorded_at < clock_timestamp() - interval '3 s' LIMIT 1"
            return session.execute(sql).rowcount

    a_trade(cluster)
    until(has_an_old_command, "a command that no gateway is busy with")
    assert found() == 0
    with inflicted(cluster, fault):
        until(lambda: found() == 1, "the auditor sees it")
    until(lambda: found() == 0, "the auditor sees that it is mended")


def test_a_slow_history_falls_behind_and_catches_up(cluster: Cluster) -> None:
    def lag() -> float:
        return says(cluster, "history", "history_lag_entries")

    until(lambda: lag() == 0, "nothing waits")
    with inflicted(cluster, SlowHistory(row_ms=1_500)):
        for _ in range(3):
            a_trade(cluster)
        until(lambda: lag() >= 1, "trades wait")
    until(lambda: lag() == 0, "it has caught up")


def test_trades_that_the_stream_skipped_are_in_the_history_all_the_same(cluster: Cluster) -> None:
    def complete() -> float:
        return says(cluster, "history", "history_complete_trade_id")

    def was_skipped() -> bool:
        """None may be: what comes to a reader that waits is its own, and a pause may keep the trade behind a gap."""
        gaps, before = says(cluster, "history", "history_gaps_total"), complete()
        trading = threading.Thread(target=lambda: [a_trade(cluster) for _ in range(TRADES)])
        trading.start()
        with inflicted(cluster, SkippedTrades(stop_s=0.5)):
            trading.join()
        until(lambda: complete() >= before + TRADES, "the skipped ones are written, and those behind them")
        return says(cluster, "history", "history_gaps_total") > gaps

    a_trade(cluster)
    until(complete, "the first is written")
    until(was_skipped, "trades that the stream skipped")
