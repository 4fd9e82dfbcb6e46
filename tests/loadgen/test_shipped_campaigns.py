"""Every campaign that comes with the lab is carried through: complete, reconciled, sealed, reported with its section.

`make test` runs some, beside other tests that disturb them. `make campaigns` runs all of them, alone, and asks whether
they are valid as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.cluster import Cluster
from deploy.topology import Topology
from loadgen.campaign import TOPOLOGIES, Campaign
from loadgen.record import Run
from loadgen.run import run_campaign
from reports.report import write

CAMPAIGNS = {path.stem: path for path in sorted((Path(__file__).parents[2] / "loadgen" / "campaigns").glob("*.yaml"))}
ALWAYS = ("capacity", "gateway_killed", "market_data", "quick")
"""A search, a fault, clients beside the load, a sweep; the others differ from these in figures."""
SAID = {
    "capacity": "<h2>Capacity and demand",
    "gateway_killed": "<h2>What became of each fault",
    "hft_sweep": "<h2>Throughput against gateways",
    "pg_shards": "<h2>Throughput against",
    "market_data": "<h2>What clients know of the market, and what that costs",
    "quick": "<h2>Throughput against gateways",
    "replay": "<td>speed=4</td>",
    "slo_500": "open loop, 500 requests/s",
    "soak": "<h2>What grew while the load did not",
    "spike": "<h2>How soon the queue of a spike is gone",
    "throttle": "<th>http_429</th>",
}
"""What a report says of this campaign beside what every report says."""
OF_EVERY_REPORT = ("Latency", "How busy each component is", "Was every acknowledged order found again?", "Evidence")

Ran = Callable[[str], Run]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """The sealed run of a shipped campaign with --short, loaded once; one cluster is renewed for all of them."""
    shared, alone = (tmp_path_factory.mktemp(name) for name in ("cluster", "alone"))
    runs: dict[str, Run] = {}
    with Cluster.up(Topology.load(TOPOLOGIES / "local.yaml"), shared) as cluster:

        def run(name: str) -> Run:
            if name not in runs:
                campaign = Campaign.read(CAMPAIGNS[name], short=True)
                is_alike = campaign.plan()[0].topology.observability == cluster.topology.observability
                directory = shared if is_alike else alone  # what is beside the path cannot be renewed
                runs[name] = Run.open(
                    run_campaign(campaign, tmp_path_factory.mktemp(name), directory, print, attempts_max=1)
                )
            return runs[name]

        yield run


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.campaigns) for name in CAMPAIGNS]
)
def test_it_is_carried_through_reconciled_sealed_and_reported(name: str, ran: Ran) -> None:
    run = ran(name)
    assert run.status == "complete"
    assert {window.name for window in run.windows} == set(run.topologies)
    differences = {kind: run.reconciliation[kind] for kind in ("lost", "duplicated", "holes", "mismatched", "in_doubt")}
    assert differences == dict.fromkeys(differences, 0)
    assert run.reconciliation["acknowledged"] == int((run.acks["outcome"] == "ok").sum()) > 50
    page = write(run.path).read_text()
    wanted = (*(f"<h2>{title}" for title in OF_EVERY_REPORT), SAID.get(name, ""))
    assert [said for said in wanted if said not in page] == []


@pytest.mark.slow
@pytest.mark.campaigns
@pytest.mark.parametrize("name", CAMPAIGNS)
def test_no_window_is_invalid_but_by_what_else_used_the_machine(name: str, ran: Ran) -> None:
    reasons = ran(name).reasons
    disturbed = {reason.window for reason in reasons if reason.blames == "machine"}
    assert [reason.sentence for reason in reasons if reason.window not in disturbed] == []


@pytest.mark.slow
def test_each_window_has_its_throughput_its_series_and_its_topology(ran: Ran) -> None:
    run = ran("quick")
    assert {window.name for window in run.windows} == {"gateways=1/1", "gateways=2/1"}
    for window in run.windows:
        assert run.throughput(window) > 0
        assert run.latency(window, outcome=None).get_total_count() > 0
        assert run.series("generator_sent_total", window)["value"].max() > 0
        requests = run.series("gateway_request_seconds_count", window)
        assert set(requests["instance"]) == {f"gateway-{n + 1}" for n in range(window.parameters["gateways"])}
        assert run.topologies[window.name]["gateways"]["replicas"] == window.parameters["gateways"]
        assert len(run.noise[run.noise["window"] == window.name]) == 1
    assert set(run.acks["kind"]) == {"new", "cancel"}
    assert run.logs["engine"]["lines"] > 0
    assert {event["kind"] for event in run.events} <= {"repeated", "cut"}  # as a busy machine makes them
    assert not list(run.path.parent.glob(".*"))


@pytest.mark.slow
def test_a_gateway_killed_under_load_is_among_the_events(ran: Ran) -> None:
    events = {(event["kind"], event["part"]) for event in ran("gateway_killed").events}
    assert {("struck", "gateway-1"), ("died", "gateway-1")} <= events


@pytest.mark.slow
def test_trades_have_an_age_for_clients_who_stream_and_who_poll_and_none_of_them_counts_as_an_order(ran: Ran) -> None:
    run = ran("market_data")
    endpoints = ("GET /v1/stream", "GET /v1/book/{symbol}")
    ages = {
        (window.configuration, endpoint): run.latency(window, endpoint, measure="age")
        for window in run.windows
        for endpoint in endpoints
    }
    seen = {key: found.get_value_at_percentile(50) for key, found in ages.items() if found.get_total_count()}
    assert set(seen) == {("watchers.kind=stream", endpoints[0]), ("watchers.kind=poll", endpoints[1])}
    assert min(seen.values()) > 0
    assert not any(run.latency(window, each).get_total_count() for window in run.windows for each in endpoints)
