"""One live cluster with everything in it: where things answer, what they tell, and what a renewal does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest
import redis
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from deploy.cluster import Cluster, ClusterError, ClusterEvent, EventKind, PartState
from deploy.topology import Topology
from loadgen.bench import detection
from loadgen.campaign import Campaign
from loadgen.latency import acknowledgements, read_receipts
from loadgen.spans import SpanFile, log_lines, with_clients, with_front
from loadgen.steady import steady_load
from target_system import signals
from target_system.history import reconcile as history
from tests.deploy import matrix
from tests.deploy.live import Footprint, fetch, until

pytestmark = pytest.mark.slow
TOPOLOGY = Topology().with_overrides(
    {
        "gateways": 2,
        "gateways.trace_ratio": 0.05,
        "gateways.in_flight_max": 4,
        "limits.per_key_per_s": None,
        "limits.total_per_s": None,
        "links": ["gateway-ledger"],
        "generator.cpu_cores": 0.2,
        "market_data.replicas": 1,
        "history.replicas": 1,
    }
)
CAMPAIGN = Campaign.model_validate({
    "name": "matrix", "title": "More than the gateways take at once", "topology": "unbounded",
    "load": {"users": 24, "warm_up_s": 0, "duration_s": 60, "timeout_s": 5},
})  # fmt: skip
IN_TROUBLE_ALONE = {
    "stopping", "stopped", "engine_lost", "engine_unlike", "ledger_connected", "ledger_lost", "redis_away",
    "redis_back", "risk_lagging", "failed", "server_lost", "server_back", "hole_filled", "session_ended", "projected",
    "feed_lost", "client_dropped", "gap_filled", "reclaimed", "died", "restarted", "given_up", "replayed",
    "journal_torn_tail_cut", "snapshot_ignored", "journal_damaged", "journal_mismatch", "journal_write_failed",
    "subscriber_cut_off", "listen_failed", "start_failed", "refused", "alarm_action_failed", "delivery_lost",
    "resolved_vetoed", "letter_lost",
}  # fmt: skip
"""Log events that a healthy cluster under load has no reason for."""
STARTED_WITHIN_S = 600.0
WITH_SNS = (signals.sns, signals.subscribers)
"""Looked at in tests/alerts/test_cluster_alerts.py: here remedies would strike as well."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster.up(TOPOLOGY, tmp_path_factory.mktemp("live") / "cluster") as cluster:
        yield cluster


def order(cluster: Cluster, client_order_id: str, side: str = "buy", quantity_lots: int = 10) -> httpx.Response:
    keys = json.loads(cluster.secrets.api_keys.read_text())
    body = {
        "client_order_id": client_order_id, "account": 1, "symbol": "AAPL", "side": side, "type": "limit",
        "price_ticks": 1000, "quantity_lots": quantity_lots,
    }  # fmt: skip
    url, traced = f"http://{cluster.address('haproxy')}/v1/orders", f"00-{uuid4().hex}-{uuid4().hex[:16]}-01"
    return httpx.post(url, json=body, headers={"X-API-Key": keys["1"], "traceparent": traced}, timeout=10)


def rows(cluster: Cluster) -> int:
    with psycopg.connect(cluster.secrets.ledger_dsns[0]) as connection:
        found = connection.execute("SELECT count(*) FROM commands").fetchone()
    assert found is not None
    return int(found[0])


def query(cluster: Cluster, expression: str) -> list[dict[str, str]]:
    url = f"http://{cluster.address('prometheus')}/api/v1/query?query={urllib.parse.quote(expression)}"
    return [series["metric"] for series in fetch(url)["data"]["result"]]


def pid_of(cluster: Cluster, name: str) -> int | None:
    return next(part.pid for part in cluster.parts() if part.name == name)


def test_every_part_is_up_and_accounted(cluster: Cluster) -> None:
    parts = {part.name: part for part in cluster.parts()}
    assert {part.state for part in parts.values()} == {PartState.UP}
    assert {"gateway-1", "gateway-2", "ledger-1", "redis", "engine", "haproxy", "settler", "prometheus"} <= parts.keys()
    assert all(part.cpu_seconds > 0 and part.memory_bytes > 0 for part in parts.values())


def test_an_order_goes_through_haproxy_into_the_ledger(cluster: Cluster) -> None:
    before = rows(cluster)
    answer = order(cluster, "first")
    assert answer.status_code in (200, 201), answer.text
    assert rows(cluster) == before + 1


def test_market_data_goes_through_haproxy_and_trades_into_the_history(cluster: Cluster) -> None:
    key = json.loads(cluster.secrets.api_keys.read_text())["1"]
    url = f"ws://{cluster.address('haproxy')}/v1/stream?symbols=AAPL"
    with connect(url, additional_headers={"x-api-key": key}, open_timeout=10) as stream:
        snapshot = json.loads(stream.recv(timeout=10))
        assert (snapshot["type"], snapshot["symbol"]) == ("snapshot", "AAPL")
        assert order(cluster, "bought").status_code == 201
        sold = order(cluster, "sold", "sell")
        wanted = sold.json()["fills"][0]["trade_id"]
        while not any(trade["trade_id"] == wanted for trade in json.loads(stream.recv(timeout=10)).get("trades", ())):
            pass
    assert history.differences(cluster.secrets.ledger_dsns, 20.0) == []


def test_everything_listens_on_loopback_alone(cluster: Cluster) -> None:
    ports = set(Footprint.of(cluster).ports)
    listening = [c.laddr for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert {address.ip for address in listening if address.port in ports} <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert ports <= {address.port for address in listening}


def test_secrets_are_for_their_owner_alone(cluster: Cluster) -> None:
    files = list((cluster.directory / "secrets").iterdir())
    assert len(files) >= 4
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(cluster.secrets.redis_url).ping()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(cluster.secrets.ledger_dsns[0].partition("?")[0], connect_timeout=2)


def test_an_acknowledgement_survives_a_power_cut_as_far_as_postgres_is_told(cluster: Cluster) -> None:
    with psycopg.connect(cluster.secrets.ledger_dsns[0]) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {name}").fetchone() == ("on",)  # type: ignore[arg-type]


def test_every_declared_signal_arrives_under_load_with_its_labels(cluster: Cluster, tmp_path: Path) -> None:
    cluster.await_scraped()
    events = [event for event in signals.LOG_EVENTS.values() if event.name not in IN_TROUBLE_ALONE]
    here = {metric for block in signals.BLOCKS if block not in WITH_SNS for metric in block.METRICS}
    if cluster.quotas.startswith("not applied"):
        here = {metric for metric in here if not metric.name.startswith("cluster_cpu_")}
    metrics = sorted(here, key=lambda metric: metric.name)
    file, began_s = SpanFile(cluster.spans), time.time()

    def arrived() -> matrix.Arrived:
        of_lines = matrix.lines(cluster, events, began_s - STARTED_WITHIN_S)
        return matrix.Arrived(matrix.series(cluster, began_s), of_lines)

    with steady_load(cluster, CAMPAIGN, "matrix", tmp_path / "receipts", tmp_path / "log"):
        with pytest.raises(InvalidStatus):
            connect(f"ws://{cluster.address('haproxy')}/v1/stream?symbols=AAPL", open_timeout=10)
        assert order(cluster, "too-large", quantity_lots=2_000_000).status_code == 422
        with contextlib.suppress(AssertionError):  # what lacks is said below, by name
            until(lambda: not matrix.lacking(arrived(), metrics, events), "every series and every line")
        found, ended_s = arrived(), time.time()
    acks = acknowledgements("matrix", "matrix", read_receipts(tmp_path / "receipts"))
    from_ns, until_ns = int((ended_s - 2) * 1e9), int(ended_s * 1e9)
    loki, spans = f"http://{cluster.address('loki')}", list[dict[str, Any]]()

    def whole() -> matrix.Arrived:
        spans.extend(file.rows("matrix", from_ns, until_ns))
        said = log_lines(loki, "matrix", {span["trace_id"] for span in spans}, from_ns, until_ns)
        seen = with_front(with_clients(spans, acks), said)
        return replace(found, spans=frozenset((span["name"], span["component"]) for span in seen))

    declared = metrics, events, list(signals.SPANS.values())
    with contextlib.suppress(AssertionError):
        until(lambda: not matrix.lacking(whole(), *declared), "every span")
    found = whole()
    assert matrix.lacking(found, *declared) == []
    for planted in planted_gaps(found):
        assert len(matrix.lacking(planted, *declared)) == 1


def planted_gaps(found: matrix.Arrived) -> Iterator[matrix.Arrived]:
    """One signal less, of each kind, and one with a label that is not declared."""
    yield replace(found, series=frozenset(each for each in found.series if each[0] != "engine_trades_total"))
    yield replace(found, series=found.series | {("engine_trades_total", "engine", frozenset({"symbol"}))})
    yield replace(found, lines=frozenset(each for each in found.lines if each[0] != "synchronised"))
    yield replace(found, spans=found.spans - {("haproxy.queued", "haproxy")})


def test_a_gateway_that_becomes_slow_is_seen_in_prometheus(cluster: Cluster, tmp_path: Path) -> None:
    seen = detection.planted(cluster, 1, tmp_path, lambda _: None)
    assert seen.seconds[0] < detection.DEADLINE_S


def test_every_series_says_which_component_and_instance_it_is_of(cluster: Cluster) -> None:
    cluster.await_scraped()

    def instances(metric: str) -> set[str]:
        return {series["instance"] for series in query(cluster, metric)}

    accounted = {part.name for part in cluster.parts()} | {"supervisor", "generator"}
    until(lambda: instances("cluster_cpu_seconds_total") == accounted, "the supervisor is scraped")
    assert {"component", "instance"} <= set.intersection(*(set(series) for series in query(cluster, "up")))
    watched = {"gateway-1", "ledger-1", "engine"}
    until(lambda: watched <= instances("namedprocess_namegroup_num_threads"), "the process exporter is scraped")


def test_log_lines_are_found_in_loki_by_component(cluster: Cluster) -> None:
    assert cluster.lacking == ()
    order(cluster, "for-the-log")
    expression = urllib.parse.quote('{service_name="gateway"} | event="order"')
    url = f"http://{cluster.address('loki')}/loki/api/v1/query_range?query={expression}"

    def lines() -> list[str]:
        return [line for stream in fetch(url)["data"]["result"] for _, line in stream["values"]]

    until(lambda: any('"client_order_id":"for-the-log"' in line for line in lines()), "the order's line is in Loki")


def test_spans_are_kept_in_a_file(cluster: Cluster) -> None:
    order(cluster, "for-the-spans")
    until(lambda: cluster.spans.exists() and b'"ledger"' in cluster.spans.read_bytes(), "the order's spans are kept")


def test_a_slow_stage_in_prometheus_leads_to_its_trace_by_an_exemplar(cluster: Cluster) -> None:
    order(cluster, "for-the-exemplar")
    now = time.time()
    asked = urllib.parse.urlencode({"query": "gateway_stage_seconds_bucket", "start": now - 60, "end": now + 60})
    url = f"http://{cluster.address('prometheus')}/api/v1/query_exemplars?{asked}"

    def traces() -> set[str]:
        return {one["labels"]["trace_id"] for series in fetch(url)["data"] for one in series["exemplars"]}

    until(
        lambda: any(trace.encode() in cluster.spans.read_bytes() for trace in traces()), "an exemplar's trace is kept"
    )


def test_a_killed_gateway_is_restarted_and_reported_with_the_end_of_its_log(cluster: Cluster) -> None:
    since_ns, killed = time.time_ns(), pid_of(cluster, "gateway-1")
    cluster.signal("gateway-1", signal.SIGKILL)

    def told() -> list[ClusterEvent]:
        return [event for event in cluster.events(since_ns) if event.part == "gateway-1"]

    until(lambda: [event for event in told() if event.kind is EventKind.RESTARTED], "it is restarted")
    died, restarted = told()
    assert (died.kind, died.said) == (EventKind.DIED, "killed by SIGKILL")
    assert '"instance":"gateway-1"' in died.log_end
    assert restarted.said == "after a pause of 0.2 s"
    assert pid_of(cluster, "gateway-1") not in (None, killed)


def test_a_foreign_process_placed_in_the_generators_group_is_bounded_and_accounted(cluster: Cluster) -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        cluster.group("generator").place(busy.pid)
        expression = 'cluster_cpu_seconds_total{instance="generator"} > 0.3'
        until(lambda: query(cluster, expression), "the generator's CPU is accounted")
        throttled = query(cluster, 'cluster_cpu_throttled_periods_total{instance="generator"} > 0')
        assert bool(throttled) != cluster.quotas.startswith("not applied")
    finally:
        busy.kill()
        busy.wait()


def test_only_the_supervisor_has_one_arena(cluster: Cluster) -> None:
    pids = (cluster._supervisor_pid, pid_of(cluster, "gateway-1"), pid_of(cluster, "prometheus"))
    assert ["MALLOC_ARENA_MAX" in psutil.Process(pid).environ() for pid in pids] == [True, False, False]


def test_a_renewal_gives_an_empty_path_of_another_size_and_leaves_telemetry_alone(cluster: Cluster) -> None:
    order(cluster, "before-the-renewal")
    prometheus, journal = pid_of(cluster, "prometheus"), cluster.journal
    cluster.renew(TOPOLOGY.with_overrides({"gateways": 3}))
    assert rows(cluster) == 0
    assert (cluster.journal.exists(), journal.exists()) == (True, False)
    password = cluster.secrets.redis_password_file.read_text()
    assert redis.Redis.from_url(cluster.secrets.redis_url, password=password).keys("position*") == []
    assert pid_of(cluster, "prometheus") == prometheus
    assert order(cluster, "before-the-renewal").json()["sequence"] == 1
    cluster.await_scraped()
    gateways = {"gateway-1", "gateway-2", "gateway-3"}
    scraped = 'up{component="gateway"} == 1'
    until(lambda: {series["instance"] for series in query(cluster, scraped)} == gateways, "the three are scraped")
    cluster.renew(TOPOLOGY)
    assert {part.name for part in cluster.parts() if part.component == "gateway"} == {"gateway-1", "gateway-2"}


def test_gateways_of_a_renewal_without_quotas_are_scheduled_alike(cluster: Cluster) -> None:
    cluster.renew(TOPOLOGY.with_overrides({"gateways.cpu_cores": 0.3}))
    cluster.renew(TOPOLOGY.with_overrides({"gateways": 3, "gateways.cpu_cores": None}))
    assert len({scheduled_in(pid_of(cluster, f"gateway-{n}")) for n in (1, 2, 3)}) == 1
    cluster.renew(TOPOLOGY)


def scheduled_in(pid: int) -> str:
    """The group of the `cpu` controller; the one tree of cgroup v2 does not schedule by a group without a limit."""
    lines = [line.split(":") for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    return next((group for _, controllers, group in lines if "cpu" in controllers.split(",")), "")


def test_a_renewal_may_change_the_ledgers_settings_and_shards(cluster: Cluster) -> None:
    cluster.renew(TOPOLOGY.with_overrides({"ledger.settings.commit_delay": 7, "ledger.shards": 2}))
    assert len(cluster.secrets.ledger_dsns) == 2
    for dsn in cluster.secrets.ledger_dsns:
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SHOW commit_delay").fetchone() == ("7",)
            assert connection.execute("SELECT count(*) FROM commands").fetchone() == (0,)
    cluster.renew(TOPOLOGY)


def test_a_renewal_that_would_change_telemetry_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="keeps observability; take the cluster down and up"):
        cluster.renew(TOPOLOGY.with_overrides({"observability.loki": False}))


def test_a_second_cluster_in_the_same_directory_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="a cluster is up already in"):
        Cluster.up(TOPOLOGY, cluster.directory)
    assert {part.state for part in cluster.parts()} == {PartState.UP}


def test_an_attached_client_sees_the_same_cluster(cluster: Cluster) -> None:
    attached = Cluster.attach(Path(os.path.relpath(cluster.directory)))
    assert attached is not None
    assert attached.address("haproxy") == cluster.address("haproxy")
