"""What the cluster takes and what it refuses: the throttle, bounds on work under way, a restart that nobody notices."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import psycopg
import pytest

from deploy.cluster import Cluster, ClusterError
from deploy.topology import Topology
from tests.deploy.live import SMALL, until

pytestmark = pytest.mark.slow
PER_KEY, IN_ALL = 5, 8
THROTTLED = SMALL.with_overrides({"gateways": 2, "limits.per_key_per_s": PER_KEY, "limits.total_per_s": IN_ALL})
LIFTED = SMALL.with_overrides({"gateways": 2, "limits.per_key_per_s": None, "limits.total_per_s": None})


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster.up(THROTTLED, tmp_path_factory.mktemp("limits") / "cluster") as cluster:
        yield cluster


@dataclass
class Desk:
    """Clients of some accounts, all of which send at once."""

    cluster: Cluster
    keys: dict[str, str] = field(init=False)
    sent: int = 0

    def __post_init__(self) -> None:
        self.keys = json.loads(self.cluster.secrets.api_keys.read_text())

    async def send(self, http: httpx.AsyncClient, account: int, client_order_id: str = "") -> httpx.Response:
        self.sent += 1
        order = {
            "client_order_id": client_order_id or f"o-{self.sent}", "symbol": "AAPL", "side": "buy", "type": "limit",
            "price_ticks": 100, "quantity_lots": 1,
        }  # fmt: skip
        return await http.post("/v1/orders", json=order, headers={"x-api-key": self.keys[str(account)]})

    async def insist(self, http: httpx.AsyncClient, account: int, client_order_id: str = "") -> httpx.Response:
        """The first answer that says yes; the last one after ten seconds."""
        for _ in range(100):
            answer = await self.send(http, account, client_order_id)
            if answer.status_code == 201:
                break
            await asyncio.sleep(0.1)
        return answer

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://{self.cluster.address('haproxy')}", timeout=10)


def renewed(cluster: Cluster, topology: Topology) -> Desk:
    cluster.renew(topology)
    return Desk(cluster)


async def barrage(desk: Desk, accounts: tuple[int, ...], each: int) -> tuple[list[httpx.Response], float]:
    """All answers, and the seconds that it took."""
    began = time.monotonic()
    async with desk.client() as http:
        answers = await asyncio.gather(*(desk.send(http, account) for account in accounts for _ in range(each)))
    return answers, time.monotonic() - began


def most(limit: int, seconds: float) -> int:
    """What a limit a second lets through: a second's worth at once, and then its rate."""
    return limit + round(limit * (seconds + 1))


async def test_one_key_is_throttled_and_told_so_in_the_form_of_every_refusal(live: Cluster) -> None:
    desk = renewed(live, THROTTLED)
    answers, seconds = await barrage(desk, (1,), 40)
    admitted = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(admitted) + len(refused) == 40
    assert PER_KEY <= len(admitted) <= most(PER_KEY, seconds)
    said = refused[0]
    assert said.json()["type"] == "/problems/throttled"
    assert (said.json()["status"], said.headers["content-type"], said.headers["retry-after"]) == (
        429, "application/problem+json", "1",
    )  # fmt: skip
    with psycopg.connect(live.secrets.ledger_dsns[0]) as ledger:
        assert ledger.execute("SELECT count(*) FROM commands").fetchone() == (len(admitted),)


async def test_all_keys_together_are_throttled_over_all_gateways(live: Cluster) -> None:
    answers, seconds = await barrage(renewed(live, THROTTLED), (1, 2, 3, 4), 10)
    admitted = [answer for answer in answers if answer.status_code == 201]
    assert IN_ALL <= len(admitted) <= most(IN_ALL, seconds)
    assert any("all clients together" in a.json()["detail"] for a in answers if a.status_code == 429)


async def test_the_throttle_of_a_live_cluster_can_be_tightened_until_haproxy_is_started_again(live: Cluster) -> None:
    desk = renewed(live, THROTTLED)
    live.set_throttle(2)
    assert live.throttle_per_s == 2
    answers, seconds = await barrage(desk, (1, 2, 3, 4), 10)
    assert 2 <= sum(answer.status_code == 201 for answer in answers) <= most(2, seconds)
    live.restart("haproxy")
    assert live.throttle_per_s == IN_ALL


async def test_what_was_throttled_is_taken_later_under_the_same_name(live: Cluster) -> None:
    desk = renewed(live, THROTTLED)
    async with desk.client() as http:
        while (await desk.send(http, 1, "again")).status_code == 201:  # repeats of one order count as well
            pass
        answer = await desk.insist(http, 1, "again")
    assert (answer.status_code, answer.headers["idempotent-replayed"]) == (201, "true")


@pytest.mark.parametrize("headers", [{"authorization": "Bearer {}"}, {"x-api-key": "{}"}, {}])
async def test_the_form_in_which_a_key_comes_opens_no_second_account_of_it(
    live: Cluster, headers: dict[str, str]
) -> None:
    desk = renewed(live, THROTTLED.with_overrides({"limits.total_per_s": None}))
    async with desk.client() as http:
        filled = {name: value.format(desk.keys["1"]) for name, value in headers.items()}
        other = (
            {"x-api-key": desk.keys["1"], "authorization": f"bearer   {desk.keys['1']}"}
            if filled
            else {"x-api-key": "none"}
        )
        for _ in range(PER_KEY):  # a pause lets one pass; an account of its own would let so many pass at once
            bare = [await http.post("/v1/orders", headers=filled) for _ in range(3 * PER_KEY)]
            said = await http.post("/v1/orders", headers=other)
            if said.status_code == 429:
                break
    assert 429 in {answer.status_code for answer in bare}
    assert said.status_code == 429


async def test_reads_are_not_throttled(live: Cluster) -> None:
    desk = renewed(live, THROTTLED)
    await barrage(desk, (1,), 20)
    async with desk.client() as http:
        for _ in range(20):
            answer = await http.get("/v1/portfolio", headers={"x-api-key": desk.keys["1"]})
            assert answer.status_code == 200


async def test_a_throttle_that_lost_its_count_starts_anew_and_holds(live: Cluster) -> None:
    desk = renewed(live, THROTTLED)
    await barrage(desk, (1,), 20)
    before = next(part.pid for part in live.parts() if part.name == "haproxy")
    live.restart("haproxy")
    assert before != next(part.pid for part in live.parts() if part.name == "haproxy")
    answers, seconds = await barrage(desk, (1,), 40)
    assert PER_KEY <= sum(answer.status_code == 201 for answer in answers) <= most(PER_KEY, seconds)


async def test_beyond_the_places_at_gateways_and_in_the_queue_requests_are_shed(live: Cluster) -> None:
    desk = renewed(live, LIFTED.with_overrides({"gateways": 1, "gateways.in_flight_max": 2, "haproxy.queue_max": 3}))
    live.signal("engine", signal.SIGSTOP)
    answers, _ = await barrage(desk, (1, 2), 10)
    live.signal("engine", signal.SIGCONT)
    kinds = Counter((answer.status_code, answer.json()["type"]) for answer in answers)
    assert kinds[503, "/problems/overloaded"] >= 5  # a pause may answer some before the others come
    assert kinds[503, "/problems/unavailable"] >= 1
    assert kinds[504, "/problems/outcome-unknown"] <= 4
    assert sum(kinds.values()) == 20
    assert all(answer.headers["retry-after"] == "1" for answer in answers)
    async with desk.client() as http:
        assert (await desk.insist(http, 1)).status_code == 201


async def test_a_rolling_restart_of_all_gateways_under_load_is_noticed_by_no_client(live: Cluster) -> None:
    desk = renewed(live, LIFTED)
    before = {part.name: part.pid for part in live.parts() if part.component == "gateway"}
    restart = asyncio.create_task(asyncio.to_thread(live.restart, "gateway"))

    async def trade(account: int) -> Counter[int]:
        async with desk.client() as http:
            statuses: Counter[int] = Counter()
            while not restart.done():
                statuses[(await desk.send(http, account)).status_code] += 1
            return statuses

    told: Counter[int] = Counter()
    for statuses in await asyncio.gather(*(trade(account) for account in range(1, 9))):
        told += statuses
    await restart
    after = {part.name: part.pid for part in live.parts() if part.component == "gateway"}
    assert set(told) == {201}, told
    assert told[201] > 100
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())


async def test_a_resting_gateway_gets_no_order_and_gets_them_again_afterwards(live: Cluster) -> None:
    desk = renewed(live, LIFTED)
    live.set_resting("gateway-2", True)
    async with desk.client() as http:
        assert {(await desk.insist(http, account)).status_code for account in range(1, 9)} == {201}
        assert worked(live, "gateway-2") == 0 < worked(live, "gateway-1")
        live.set_resting("gateway-2", False)
        for account in range(1, 9):
            await desk.insist(http, account)
    assert worked(live, "gateway-2") > 0
    with pytest.raises(ClusterError, match="redis is no gateway"):
        live.set_resting("redis", True)


def worked(cluster: Cluster, gateway: str) -> float:
    """Orders that it answered since it started."""
    page = httpx.get(f"http://{cluster.address(gateway)}/metrics").text
    rows = [line for line in page.splitlines() if line.startswith("gateway_stage_seconds_count")]
    return sum(float(row.rpartition(" ")[2]) for row in rows)


def test_an_unknown_component_is_not_restarted(live: Cluster) -> None:
    with pytest.raises(ClusterError, match="gatway is no component here; use one of engine, gateway, "):
        live.restart("gatway")


def test_a_part_that_was_asked_to_restart_is_kept_like_before(live: Cluster) -> None:
    live.restart("settler")
    settler = next(part for part in live.parts() if part.name == "settler")
    live.signal("settler", signal.SIGKILL)
    until(
        lambda: next(p for p in live.parts() if p.name == "settler").pid not in (None, settler.pid), "it is back again"
    )
