"""Each kind of command and each refusal through the whole path: two gateways, the engine, ledger, Redis, settler.

The tests share one pipeline and leave no order behind; the last one reconciles all that they did.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import redis

from target_system.gateway.schemas import Reason
from target_system.ledger.keys import create_keys
from tests.servers import Postgres, Redis, stop, wait_until
from tests.target_system.gateway.pipeline import Pipeline, open_pipeline

OPERATOR = 9_000
names = (f"n-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def path(postgres: Postgres, shared_redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with redis.Redis.from_url(shared_redis.url) as client:
        client.flushall()
    dsn, folder = postgres.new_ledger(), Path(tmp_path_factory.mktemp("path"))
    with open_pipeline(dsn, shared_redis.url, folder) as opened:
        opened.keys |= create_keys(dsn, (OPERATOR,), is_operator=True)
        yield opened


class Client:
    """One API key; requests go to the two gateways in turn."""

    def __init__(self, pipeline: Pipeline, account: int) -> None:
        self.account = account
        self._http = httpx.Client(headers={"x-api-key": pipeline.keys[account]})
        self._ports = itertools.cycle(pipeline.gateway_ports)
        self.told: list[dict[str, Any]] = []

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        extra: dict[str, Any] = {} if body is None else {"json": body}
        answer = self._http.request(method, f"http://127.0.0.1:{next(self._ports)}{path}", **extra)
        said = answer.json()
        if "sequence" in said:
            self.told.append(said)
        return answer

    def order(self, side: str, price: int | None, lots: int, **terms: Any) -> httpx.Response:
        body = {"client_order_id": next(names), "symbol": "AAPL", "side": side, "quantity_lots": lots}
        body |= {"type": "market"} if price is None else {"type": "limit", "price_ticks": price}
        return self.ask("POST", "/v1/orders", body | terms)

    def buy(self, price: int | None, lots: int, **terms: Any) -> httpx.Response:
        return self.order("buy", price, lots, **terms)

    def sell(self, price: int | None, lots: int, **terms: Any) -> httpx.Response:
        return self.order("sell", price, lots, **terms)

    def replace(self, order_id: int, side: str, price: int, lots: int, **terms: Any) -> httpx.Response:
        body = {
            "client_order_id": next(names),
            "symbol": "AAPL",
            "side": side,
            "price_ticks": price,
            "quantity_lots": lots,
        }
        return self.ask("PUT", f"/v1/orders/{order_id}", body | terms)

    def cancel(self, order_id: int) -> httpx.Response:
        return self.ask("DELETE", f"/v1/orders/{order_id}")

    def mass_cancel(self, **terms: Any) -> httpx.Response:
        return self.ask("POST", "/v1/mass-cancels", {"client_order_id": next(names)} | terms)

    def state(self, order_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/v1/orders/{order_id}").json()
        return found

    def operate(self, what: str, name: str | None = None) -> httpx.Response:
        return self.ask("POST", f"/v1/{what}", {"name": name or next(names)})


@pytest.fixture(scope="module")
def everybody(path: Pipeline) -> dict[int, Client]:
    return {account: Client(path, account) for account in path.keys}


@pytest.fixture
def alice(everybody: dict[int, Client]) -> Iterator[Client]:
    yield everybody[1]
    everybody[1].mass_cancel()


@pytest.fixture
def bob(everybody: dict[int, Client]) -> Iterator[Client]:
    yield everybody[2]
    everybody[2].mass_cancel()


@pytest.fixture
def operator(everybody: dict[int, Client]) -> Client:
    return everybody[OPERATOR]


def outcome(answer: httpx.Response) -> tuple[str, str | None, int, int, int]:
    """Outcome, reason, filled, resting, cancelled."""
    said = answer.json()
    return said["outcome"], said.get("reason"), said["filled_lots"], said["remaining_lots"], said["cancelled_lots"]


def sessions_of(pipeline: Pipeline, account: int) -> list[Any]:
    """As the ledger has them: to ask for the end of one would end it."""
    with psycopg.connect(pipeline.dsn) as ledger:
        return ledger.execute("SELECT number FROM sessions WHERE account = %s", [account]).fetchall()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["reason"]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, ("resting", None, 5, 3, 0)),
        ({"time_in_force": "ioc"}, ("cancelled", "no_liquidity", 5, 0, 3)),
        ({"time_in_force": "gtc", "self_trade_prevention": "cancel_newest"}, ("resting", None, 5, 3, 0)),
    ],
)
def test_what_becomes_of_the_remainder_is_the_time_in_forces(
    alice: Client, bob: Client, terms: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    alice.sell(100, 5)
    assert outcome(bob.buy(100, 8, **terms)) == expected


def test_a_market_order_takes_what_there_is(alice: Client, bob: Client) -> None:
    alice.sell(100, 5)
    taker = bob.buy(None, 8)
    assert outcome(taker) == ("cancelled", "no_liquidity", 5, 0, 3)
    assert bob.state(taker.json()["order_id"])["status"] == "cancelled"


def test_fill_or_kill_is_filled_whole_or_refused(alice: Client, bob: Client) -> None:
    alice.sell(100, 5)
    assert refusal(bob.buy(100, 6, time_in_force="fok")) == (422, "not_fillable")
    assert outcome(bob.buy(100, 5, time_in_force="fok")) == ("filled", None, 5, 0, 0)


def test_a_post_only_order_is_refused_or_slides(alice: Client, bob: Client) -> None:
    alice.sell(100, 5)
    assert refusal(bob.buy(100, 5, post_only="reject")) == (422, "would_take")
    slid = bob.buy(105, 5, post_only="slide")
    assert (outcome(slid), slid.json()["resting_price_ticks"]) == (("resting", None, 0, 5, 0), 99)


@pytest.mark.parametrize(
    ("mode", "expected", "removed"),
    [
        ("cancel_newest", ("cancelled", "self_trade", 0, 0, 6), None),
        ("cancel_oldest", ("resting", None, 0, 6, 0), 10),
        ("cancel_both", ("cancelled", "self_trade", 0, 0, 6), 10),
        ("decrement", ("cancelled", "self_trade", 0, 0, 6), 6),
    ],
)
def test_an_account_does_not_trade_with_itself_if_it_asks_so(
    alice: Client, mode: str, expected: tuple[Any, ...], removed: int | None
) -> None:
    maker = alice.sell(100, 10).json()["order_id"]
    taker = alice.buy(100, 6, self_trade_prevention=mode)
    assert outcome(taker) == expected
    gone = [{"order_id": maker, "quantity_lots": removed}] if removed else None
    assert taker.json().get("removed") == gone
    assert alice.state(maker)["remaining_lots"] == 10 - (removed or 0)


def test_less_keeps_its_place_and_more_loses_it(alice: Client, bob: Client) -> None:
    first, second = (alice.buy(100, 10).json()["order_id"] for _ in range(2))
    assert outcome(alice.replace(first, "buy", 100, 4)) == ("replaced", None, 0, 4, 0)
    bob.sell(100, 4)
    assert (alice.state(first)["status"], alice.state(second)["remaining_lots"]) == ("filled", 10)
    third = alice.buy(100, 1).json()["order_id"]
    alice.replace(second, "buy", 100, 20)
    bob.sell(100, 1)
    assert (alice.state(third)["status"], alice.state(second)["remaining_lots"]) == ("filled", 20)


def test_a_replacement_that_crosses_trades_and_shows_in_the_portfolios(alice: Client, bob: Client) -> None:
    before = {p["symbol"]: p["lots"] for p in bob.ask("GET", "/v1/portfolio").json()["positions"]}
    alice.sell(105, 5, symbol="ZM")
    order = bob.buy(100, 5, symbol="ZM").json()["order_id"]
    crossed = bob.replace(order, "buy", 105, 8, symbol="ZM")
    assert outcome(crossed) == ("replaced", None, 5, 3, 0)
    assert crossed.json()["fills"][0]["price_ticks"] == 105
    state = bob.state(order)
    assert (state["status"], state["filled_lots"], state["remaining_lots"]) == ("open", 5, 3)
    after = {p["symbol"]: p["lots"] for p in bob.ask("GET", "/v1/portfolio").json()["positions"]}
    assert after["ZM"] - before.get("ZM", 0) == 5


def test_a_replacement_is_repeatable_and_must_name_its_order_rightly(alice: Client) -> None:
    order = alice.buy(100, 10).json()["order_id"]
    first = alice.replace(order, "buy", 101, 10, client_order_id="again-1")
    again = alice.replace(order, "buy", 101, 10, client_order_id="again-1")
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert refusal(alice.replace(order, "buy", 101, 10)) == (422, "nothing_to_replace")
    assert refusal(alice.replace(order, "sell", 101, 9)) == (404, "no_such_order")
    assert refusal(alice.replace(order, "buy", 101, 9, symbol="ZM")) == (404, "no_such_order")
    assert alice.replace(order, "buy", 102, 10, client_order_id="again-1").status_code == 409


def test_a_mass_cancel_takes_out_the_accounts_own_orders_and_may_be_repeated(alice: Client, bob: Client) -> None:
    here, there = alice.buy(100, 1).json()["order_id"], alice.buy(100, 2, symbol="MSFT").json()["order_id"]
    others = bob.buy(100, 3).json()["order_id"]
    one = alice.mass_cancel(symbol="MSFT")
    assert one.json()["removed"] == [{"order_id": there, "quantity_lots": 2}]
    rest = alice.mass_cancel(client_order_id="all-1")
    again = alice.mass_cancel(client_order_id="all-1")
    assert (rest.json()["outcome"], rest.json()["cancelled_lots"]) == ("done", 1)
    assert (again.content, again.headers["idempotent-replayed"]) == (rest.content, "true")
    assert [alice.state(here)["status"], alice.state(there)["status"]] == ["cancelled", "cancelled"]
    assert bob.state(others)["status"] == "open"


def test_a_halted_symbol_refuses_orders_and_lets_cancels_through(alice: Client, operator: Client) -> None:
    order = alice.buy(100, 1, symbol="MSFT").json()["order_id"]
    assert operator.operate("symbols/MSFT/halt").json()["outcome"] == "done"
    assert refusal(alice.buy(100, 1, symbol="MSFT")) == (422, "symbol_halted")
    assert refusal(alice.replace(order, "buy", 101, 1, symbol="MSFT")) == (422, "symbol_halted")
    assert alice.cancel(order).status_code == 200
    assert operator.operate("symbols/MSFT/resume").json()["outcome"] == "done"
    assert alice.buy(100, 1, symbol="MSFT").status_code == 201


def test_operators_do_not_trade_and_traders_do_not_operate(alice: Client, operator: Client) -> None:
    for what in ("symbols/AAPL/halt", "symbols/AAPL/resume", "accounts/2/kill", "accounts/2/lift"):
        answer = alice.operate(what)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-an-operator")
    assert operator.buy(100, 1).status_code == 401
    assert operator.operate("symbols/NONE/halt").status_code == 404


def test_a_killed_account_has_no_orders_and_gets_none_even_after_a_crash(
    path: Pipeline, everybody: dict[int, Client], operator: Client
) -> None:
    victim = everybody[3]
    order = victim.buy(90, 4).json()["order_id"]
    killed = operator.operate("accounts/3/kill", "stop-3")
    assert killed.json()["removed"] == [{"order_id": order, "quantity_lots": 4}]
    assert operator.operate("accounts/3/kill", "stop-3").headers["idempotent-replayed"] == "true"
    assert (victim.state(order)["status"], refusal(victim.buy(90, 1))) == ("cancelled", (422, "account_killed"))
    for how in (signal.SIGKILL, signal.SIGTERM):  # without a snapshot, and with one
        path.processes["engine"].send_signal(how)
        stop(path.processes["engine"])
        path.start_engine()
        wait_until(lambda: path.is_ready(0) and path.is_ready(1), "the gateways are ready again")
        assert refusal(victim.buy(90, 1)) == (422, "account_killed")
    assert operator.operate("accounts/3/lift").json()["outcome"] == "done"
    assert victim.buy(90, 1).status_code == 201


def test_an_account_that_is_not_heard_of_any_more_loses_its_orders_though_its_gateway_died(
    path: Pipeline, everybody: dict[int, Client]
) -> None:
    client = everybody[4]
    order = client.buy(90, 4).json()["order_id"]
    session = client.ask("PUT", "/v1/session", {"lease_ms": 60_000}).json()["session"]
    again = client.ask("PUT", "/v1/session", {"lease_ms": 1_000}).json()
    assert again == {"account": 4, "session": session, "lease_ms": 1_000}
    path.processes["gateway-0"].kill()
    stop(path.processes["gateway-0"])
    path.start_gateway(0)
    wait_until(lambda: path.is_ready(0), "the gateway is back")
    wait_until(lambda: client.state(order)["status"] == "cancelled", "the orders are cancelled")
    wait_until(lambda: sessions_of(path, 4) == [], "the session is over")


def test_a_session_that_is_ended_cancels_at_once(everybody: dict[int, Client]) -> None:
    client = everybody[5]
    first = client.ask("PUT", "/v1/session", {"lease_ms": 60_000}).json()["session"]
    order = client.buy(90, 4).json()["order_id"]
    ended = client.ask("DELETE", "/v1/session")
    assert ended.json()["removed"] == [{"order_id": order, "quantity_lots": 4}]
    assert client.ask("PUT", "/v1/session", {"lease_ms": 60_000}).json()["session"] > first
    client.ask("DELETE", "/v1/session")


def test_every_reason_of_the_engine_is_described() -> None:
    assert {"account_killed", "no_such_order", "would_take", "not_fillable"} <= set(Reason)


def test_all_of_it_reconciles(path: Pipeline, everybody: dict[int, Client]) -> None:
    acks = [
        {
            "account": account, "client_order_id": said["client_order_id"], "kind": "new",
            "order_id": said.get("order_id", 0), "sequence": said["sequence"], "is_acknowledged": True,
            "is_in_doubt": False,
        }
        for account, client in everybody.items() for said in client.told if "client_order_id" in said
    ]  # fmt: skip
    found = path.reconcile(acks)
    assert (found.agrees, found.acknowledged) == (True, len(acks)), found.differences
