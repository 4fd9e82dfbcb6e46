"""Each kind of fault on a live cluster: its effect is seen, it is gone afterwards, and the cluster is whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
import redis
from pydantic import ValidationError

from deploy.cluster import Cluster, ClusterError, EventKind, PartState
from deploy.faults import catalogue
from deploy.faults.catalogue import fault_from
from deploy.faults.clock_skew import ClockSkew
from deploy.faults.cpu_hog import CpuHog
from deploy.faults.cpu_quota import CpuQuota
from deploy.faults.crash_loop import CrashLoop
from deploy.faults.disk_full import DiskFull
from deploy.faults.failing_rows import FailingRows
from deploy.faults.fault import FaultError, ailing, inflicted
from deploy.faults.fd_limit import FdLimit
from deploy.faults.freeze import Freeze
from deploy.faults.hot_row import HotRow
from deploy.faults.hung_function import HungFunction
from deploy.faults.idle_connections import IdleConnections
from deploy.faults.kill import Kill
from deploy.faults.lost_metric import LostMetric
from deploy.faults.network import Bandwidth, Latency, Reset, Timeout
from deploy.faults.redis_client import redis_of
from deploy.faults.redis_flush import RedisFlush
from deploy.faults.redis_memory import RedisMemory
from deploy.faults.skipped_trades import SkippedTrades
from deploy.faults.slow_history import SlowHistory
from deploy.faults.slow_sync import SlowSync
from deploy.faults.small_disk import SmallDisk
from deploy.faults.stutter import Stutter
from deploy.faults.table_lock import TableLock
from deploy.faults.wrong_ledger import LostCommand, RepeatedTrade
from deploy.faults.wrong_redis import CrossedBook, WrongPosition
from deploy.topology import Topology
from tests.deploy.live import SMALL, until

TOPOLOGY = SMALL.with_overrides({
    "links": ["gateway-ledger", "gateway-engine", "gateway-redis", "haproxy-gateway", "market_data-engine"],
    "market_data.replicas": 1, "history.replicas": 1, "observability.prometheus": True, "engine.cpu_cores": 0.5,
    "gateways.clock_faults": True,
    "ledger.disk_faults": True, "engine.disk_faults": True,
    "engine.restarts.hung_after_s": 1.0, "engine.restarts.backoff_max_s": 0.2, "gateways.restarts.hung_after_s": 1.0,
    "gateways.restarts.hung_restart": True,
})  # fmt: skip
QUICK_S, SLOW_MS = 5.0, 200
numbers = count(1)


def test_every_kind_is_read_by_its_name_and_comes_back_the_same() -> None:
    names = [kind.model_fields["kind"].default for kind in catalogue.KINDS]
    assert len(set(names)) == len(names) == len(catalogue.KINDS)
    assert fault_from({"kind": "latency", "link": "gateway-redis", "latency_ms": 2}) == Latency(
        link="gateway-redis", latency_ms=2
    )


def test_a_fault_with_an_unknown_parameter_is_refused_with_its_place() -> None:
    with pytest.raises(ValidationError) as refused:
        fault_from({"kind": "freeze", "part": "engine", "seconds": 3})
    assert [error["loc"] for error in refused.value.errors()] == [("freeze", "seconds")]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Freeze(part="gateway-9"), "gateway-9 is no part of this topology; use one of haproxy"),
        (Reset(link="gateway-redis"), "does not go through Toxiproxy; add it to the topology's links"),
        (DiskFull(part="ledger-1"), "runs without disk faults; set ledger.disk_faults: true"),
        (DiskFull(part="redis"), "keeps nothing on disk that could fail here"),
        (ClockSkew(part="gateway-1", ahead_ms=1), "gateways run without clock faults; set gateways.clock_faults: true"),
        (HungFunction(), "no Lambda runs in this topology; set observability.sns: true"),
        (SlowHistory(row_ms=1), "no history runs in this topology; set history.replicas: 1"),
        (HotRow(shard=2), "shard 2 does not exist; the topology has 1"),
    ],
)
def test_what_does_not_fit_a_topology_is_said_with_what_to_do(fault: catalogue.Fault, said: str) -> None:
    assert said in (fault.misfit(Topology()) or "")


def test_the_reference_lists_every_kind() -> None:
    written = Path(__file__).parents[3] / "docs/reference/faults.md"
    assert written.read_text() == catalogue.reference(), (
        "run: python -m deploy.faults.catalogue > docs/reference/faults.md"
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster.up(TOPOLOGY, tmp_path_factory.mktemp("faults") / "cluster") as cluster:
        yield cluster


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    """Whole before and after."""
    until(lambda: takes_orders(shared), "orders are taken")
    yield shared
    assert ailing(shared) == ""
    until(lambda: takes_orders(shared), "orders are taken again")


def order(
    cluster: Cluster, timeout_s: float = QUICK_S, part: str = "haproxy", account: int = 1, side: str = "buy"
) -> httpx.Response | None:
    """The answer, or None where none came."""
    keys = json.loads(cluster.secrets.api_keys.read_text())
    body = {
        "client_order_id": f"f{next(numbers)}", "symbol": "AAPL", "side": side, "type": "limit",
        "price_ticks": 1, "quantity_lots": 1,
    }  # fmt: skip
    with suppress(httpx.TransportError):
        url = f"http://{cluster.address(part)}/v1/orders"
        return httpx.post(url, json=body, headers={"X-API-Key": keys[str(account)]}, timeout=timeout_s)
    return None


def takes_orders(cluster: Cluster, part: str = "haproxy") -> bool:
    answer = order(cluster, part=part)
    return answer is not None and answer.status_code == 201


def fastest_ms(cluster: Cluster, tries: int = 5) -> float:
    """Of a few orders: what none of them escapes."""
    taken = []
    for _ in range(tries):
        began = time.monotonic()
        assert takes_orders(cluster)
        taken.append((time.monotonic() - began) * 1e3)
    return min(taken)


def state_of(cluster: Cluster, name: str) -> PartState:
    return next(part.state for part in cluster.parts() if part.name == name)


def pid_of(cluster: Cluster, name: str) -> int | None:
    return next(part.pid for part in cluster.parts() if part.name == name)


pytestmark = pytest.mark.slow


def test_a_killed_part_comes_back_as_another_process(cluster: Cluster) -> None:
    killed = pid_of(cluster, "ledger-1")
    with inflicted(cluster, Kill(part="ledger-1")):
        until(lambda: pid_of(cluster, "ledger-1") != killed, "its end is noticed")
    assert pid_of(cluster, "ledger-1") not in (None, killed)


def test_a_frozen_part_is_called_hung_and_answers_again_afterwards(cluster: Cluster) -> None:
    since_ns, pid = time.time_ns(), pid_of(cluster, "engine")
    with inflicted(cluster, Freeze(part="engine")):
        until(lambda: state_of(cluster, "engine") is PartState.HUNG, "it is called hung")
        assert not takes_orders(cluster)
    kinds = [event.kind for event in cluster.events(since_ns) if event.part == "engine"]
    assert (kinds, pid_of(cluster, "engine")) == ([EventKind.HUNG, EventKind.ANSWERS], pid)


def test_a_hung_part_is_restarted_where_the_topology_says_so(cluster: Cluster) -> None:
    frozen = pid_of(cluster, "gateway-1")
    with inflicted(cluster, Freeze(part="gateway-1")):
        until(lambda: takes_orders(cluster, "gateway-1"), "another process takes orders while the fault still stands")
        assert pid_of(cluster, "gateway-1") != frozen


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
    with inflicted(cluster, Latency(link="gateway-redis", latency_ms=2_000)):
        assert 90 <= fastest_ms(cluster, tries=1) < 2_000


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
    with psycopg.connect(cluster.secrets.ledger_dsns[0], autocommit=True) as session:
        before = rows(session)
        with inflicted(cluster, Reset(link="gateway-ledger")):
            answer = order(cluster)
            assert answer is not None
            assert answer.status_code != 201
            until(lambda: rows(session) == before + 1, "it was committed all the same")


def rows(session: psycopg.Connection[tuple[int]]) -> int:
    found = session.execute("SELECT count(*) FROM commands").fetchone()
    assert found is not None
    return found[0]


def test_a_full_disk_stops_the_engine_and_a_free_one_lets_it_go_on(cluster: Cluster) -> None:
    since_ns = time.time_ns()
    with inflicted(cluster, DiskFull(part="engine")):
        assert not takes_orders(cluster)
        died = until(lambda: [e for e in cluster.events(since_ns) if e.kind is EventKind.DIED], "it died of its disk")
        assert "No space left on device" in died[0].log_end
    assert takes_orders(cluster)


def test_a_full_disk_of_the_ledger_refuses_what_would_grow(cluster: Cluster) -> None:
    with psycopg.connect(cluster.secrets.ledger_dsns[0], autocommit=True) as session:
        with inflicted(cluster, DiskFull(part="ledger-1")), pytest.raises(psycopg.errors.DiskFull):
            session.execute("CREATE TABLE too_much AS SELECT * FROM generate_series(1, 100000)")
        session.execute("CREATE TABLE too_much AS SELECT * FROM generate_series(1, 1000)")
        session.execute("DROP TABLE too_much")


def test_a_part_is_bounded_live_and_has_what_it_had_afterwards(cluster: Cluster) -> None:
    def quotas() -> tuple[float | None, str]:
        part = next(part for part in cluster.parts() if part.name == "gateway-1")
        return part.cpu_quota_cores, Path(f"/proc/{part.pid}/cgroup").read_text()

    before = quotas()
    if cluster.quotas.startswith("not applied"):
        with pytest.raises(ClusterError, match="CPU quotas are not applied"):
            cluster.set_cpu_quota("gateway-1", 0.2)
        return
    with inflicted(cluster, CpuQuota(part="gateway-1", cores=0.2)):
        assert quotas()[0] == 0.2
        assert quotas()[1] != before[1]
        assert takes_orders(cluster)
    assert quotas() == before


def test_a_hog_uses_the_machine_until_it_is_ended(cluster: Cluster) -> None:
    def hogs() -> list[psutil.Process]:
        return [child for child in psutil.Process().children() if "while True: pass" in child.cmdline()]

    with inflicted(cluster, CpuHog(processes=2)):
        assert len(hogs()) == 2
        until(lambda: all(sum(hog.cpu_times()[:2]) > 0.05 for hog in hogs()), "both are busy")
    assert hogs() == []


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
            assert takes_orders(cluster)
        assert client.config_get("maxmemory") == before


def test_a_part_at_its_limit_of_descriptors_takes_no_connection(cluster: Cluster) -> None:
    limits = psutil.Process(pid_of(cluster, "gateway-1")).rlimit(psutil.RLIMIT_NOFILE)
    with inflicted(cluster, FdLimit(part="gateway-1", descriptors=0)):
        assert order(cluster, timeout_s=1.0, part="gateway-1") is None
    until(lambda: takes_orders(cluster, "gateway-1"), "it takes connections again")
    assert psutil.Process(pid_of(cluster, "gateway-1")).rlimit(psutil.RLIMIT_NOFILE) == limits


def test_a_ledger_that_refuses_rows_leaves_orders_in_doubt_and_the_settler_closes_the_holes(cluster: Cluster) -> None:
    with inflicted(cluster, FailingRows(share=1.0)):
        answer = order(cluster)
        assert answer is not None
        assert answer.status_code == 504
    assert takes_orders(cluster)
    with psycopg.connect(cluster.secrets.ledger_dsns[0], autocommit=True) as session:
        doubtful = f"f{next(numbers) - 2}"
        until(lambda: session.execute("SELECT 1 FROM commands WHERE client_order_id = %s", [doubtful]).fetchone(), "it")


def test_a_part_that_stutters_stands_still_again_and_again(cluster: Cluster) -> None:
    process = psutil.Process(pid_of(cluster, "gateway-1"))
    with inflicted(cluster, Stutter(part="gateway-1", stop_ms=200, run_ms=200)):
        for state in (psutil.STATUS_STOPPED, psutil.STATUS_SLEEPING) * 2:
            until(lambda state=state: process.status() == state, f"the gateway is {state}")
    assert takes_orders(cluster)


def test_a_small_disk_is_as_full_as_was_said_and_gone_afterwards(cluster: Cluster) -> None:
    place = cluster.directory / "data" / "small_disk"
    with inflicted(cluster, SmallDisk(filled=0.97)):
        usage = psutil.disk_usage(str(place))
        assert usage.free / usage.total < 0.05
    assert not place.exists()


def test_a_fault_is_reverted_when_the_block_fails(cluster: Cluster) -> None:
    with pytest.raises(KeyboardInterrupt), inflicted(cluster, Freeze(part="redis")):
        raise KeyboardInterrupt
    assert is_running(cluster, "redis")


STRIKER = """
import sys, time
from pathlib import Path
from deploy.cluster import Cluster
from deploy.faults.guard import guarded
from deploy.faults.freeze import Freeze
with guarded(Cluster.attach(Path(sys.argv[1])), Freeze(part="redis")):
    print("struck", flush=True)
    time.sleep(600)
"""


def test_a_guarded_fault_is_reverted_when_its_striker_is_killed(cluster: Cluster) -> None:
    command = [sys.executable, "-c", STRIKER, str(cluster.directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as striker:
        assert striker.stdout is not None
        assert striker.stdout.readline() == "struck\n"
        assert not is_running(cluster, "redis")
        os.kill(striker.pid, signal.SIGKILL)
    until(lambda: is_running(cluster, "redis"), "the guard reverts it")


def test_a_fault_that_does_not_fit_is_not_applied(cluster: Cluster) -> None:
    with (
        pytest.raises(FaultError, match="keeps nothing on disk"),
        inflicted(cluster, DiskFull(part="redis")),
    ):
        pytest.fail("it was applied")


def is_running(cluster: Cluster, part: str) -> bool:
    return psutil.Process(pid_of(cluster, part)).status() != psutil.STATUS_STOPPED


def says(cluster: Cluster, part: str, metric: str) -> float:
    """The sum of a metric's series in what a part exposes."""
    lines = httpx.get(f"http://{cluster.address(part)}/metrics", timeout=QUICK_S).text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.split("{")[0].split()[0] == metric)


def a_trade(cluster: Cluster) -> None:
    answer = order(cluster, account=2, side="sell")
    assert answer is not None
    assert answer.json()["fills"]


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


def test_a_part_in_a_crash_loop_is_started_again_and_again(cluster: Cluster) -> None:
    def restarts() -> int:
        return next(part.restarts for part in cluster.parts() if part.name == "history")

    before = restarts()
    with inflicted(cluster, CrashLoop(part="history")):
        until(lambda: restarts() >= before + 2, "it was started twice")


def test_a_hog_of_a_part_runs_in_its_group(cluster: Cluster) -> None:
    if cluster.quotas.startswith("not applied"):
        return
    with inflicted(cluster, CpuHog(part="engine")):
        hog = next(child for child in psutil.Process().children() if "while True: pass" in child.cmdline())
        groups = [Path(f"/proc/{pid}/cgroup").read_text() for pid in (hog.pid, pid_of(cluster, "engine"))]
        assert groups[0] == groups[1]


def test_a_lost_metric_is_not_in_prometheus_until_it_is_found_again(cluster: Cluster) -> None:
    def series() -> int:
        url = f"http://{cluster.address('prometheus')}/api/v1/query"
        found = httpx.get(url, params={"query": "gateway_request_seconds_count"}, timeout=QUICK_S)
        return len(found.json()["data"]["result"])

    until(series, "it is scraped")
    with inflicted(cluster, LostMetric(metric="gateway_request_seconds")):
        until(lambda: series() == 0, "it is gone")
    until(series, "it is back")


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

    a_trade(cluster)
    before, trading = until(complete, "the first is written"), threading.Timer(0.1, a_trade, (cluster,))
    trading.start()
    with inflicted(cluster, SkippedTrades(stop_s=1.0)):
        trading.join()
        a_trade(cluster)
    until(lambda: complete() >= before + 2, "the skipped one is written, and the one behind it")


def test_a_generator_that_is_not_there_cannot_be_struck(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="no generator is at work; start a load first"):
        cluster.signal("generator", signal.SIGSTOP)


def test_a_gateway_with_a_wrong_clock_takes_orders_and_says_the_wrong_time(cluster: Cluster) -> None:
    def ahead_s() -> float:
        return says(cluster, "gateway-1", "gateway_clock_seconds") - time.time()

    with inflicted(cluster, ClockSkew(part="gateway-1", ahead_ms=-60_000)):
        assert -70 < ahead_s() < -50
        assert takes_orders(cluster, "gateway-1")
    assert -10 < ahead_s() < 10
