"""What the gateway refuses, and how it says so: problem documents, all faults at once, nothing half done."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from target_system.gateway.app import build
from tests.servers import eventually
from tests.target_system.gateway.conftest import Desk, open_desk

GOOD = b'{"client_order_id":"a-1","symbol":"AAPL","side":"buy","type":"limit","price_ticks":100,"quantity_lots":10}'


def kind(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return str(answer.json()["type"]).removeprefix("/problems/")


async def insist(desk: Desk, order: dict[str, object], *until_not: int) -> httpx.Response:
    """Again after a pause of the machine that was longer than the deadline, which is short where this is used."""
    for _ in range(50):
        answer = await desk.alice.post("/v1/orders", json=order)
        if answer.status_code not in until_not:
            return answer
    raise AssertionError(f"no answer to {order} in 50 attempts: {answer.text}")


async def test_all_faults_of_a_body_are_named_at_once(desk: Desk) -> None:
    body = {
        "client_order_id": "~c1",
        "symbol": "XXX",
        "side": "up",
        "quantity_lots": 1.5,
        "colour": "red",
        "account": 2,
    }
    answer = await desk.alice.post("/v1/orders", json=body)
    assert (answer.status_code, kind(answer)) == (422, "invalid-order")
    assert sorted(error["pointer"] for error in answer.json()["errors"]) == [
        "/account", "/client_order_id", "/colour", "/price_ticks", "/quantity_lots", "/side", "/symbol", "/type",
    ]  # fmt: skip
    assert desk.engine.book.results == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"client_order_id": ""}, "/client_order_id"),
        ({"client_order_id": "a" * 37}, "/client_order_id"),
        ({"client_order_id": "é"}, "/client_order_id"),
        ({"client_order_id": "a\n"}, "/client_order_id"),
        ({"client_order_id": 5}, "/client_order_id"),
        ({"symbol": ["AAPL"]}, "/symbol"),
        ({"side": {}}, "/side"),
        ({"quantity_lots": 0}, "/quantity_lots"),
        ({"quantity_lots": True}, "/quantity_lots"),
        ({"quantity_lots": 2**53}, "/quantity_lots"),
        ({"quantity_lots": 10**400}, "/quantity_lots"),
        ({"price_ticks": None, "type": "limit"}, "/price_ticks"),
        ({"price_ticks": 10_001}, "/price_ticks"),
        ({"price_ticks": 0}, "/price_ticks"),
        ({"type": "market"}, "/price_ticks"),
        ({"type": "stop"}, "/type"),
    ],
)
async def test_each_rule_of_an_order_is_kept(desk: Desk, changes: dict[str, object], pointer: str) -> None:
    answer = await desk.alice.post("/v1/orders", json=desk.order(**changes))
    assert answer.status_code == 422, answer.text
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"nul", b"[" * 4000])
async def test_a_body_that_is_no_json_object_is_malformed(desk: Desk, body: bytes) -> None:
    answer = await desk.alice.post("/v1/orders", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, kind(answer)) == (400, "malformed")


async def test_another_content_type_is_not_read(desk: Desk) -> None:
    answer = await desk.alice.post("/v1/orders", content=GOOD, headers={"content-type": "text/plain"})
    assert (answer.status_code, kind(answer)) == (415, "unsupported-media-type")


async def test_a_body_beyond_the_limit_is_not_read(desk: Desk) -> None:
    answer = await desk.alice.post(
        "/v1/orders", content=GOOD + b" " * 5000, headers={"content-type": "application/json"}
    )
    assert (answer.status_code, kind(answer)) == (413, "too-large")


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic x"}, {"x-api-key": ""}]
)
async def test_nothing_is_told_without_a_valid_key(desk: Desk, headers: dict[str, str]) -> None:
    desk.alice.headers.pop("authorization")
    for method, path in (
        ("POST", "/v1/orders"), ("DELETE", "/v1/orders/1"), ("GET", "/v1/orders/1"), ("GET", "/v1/book/AAPL"),
        ("GET", "/v1/portfolio"),
    ):  # fmt: skip
        body = {"json": desk.order()} if method == "POST" else {}
        answer = await desk.alice.request(method, path, headers=headers, **body)
        assert (answer.status_code, kind(answer)) == (401, "unauthenticated"), path


async def test_a_key_may_come_in_its_own_header(desk: Desk) -> None:
    key = desk.alice.headers.pop("authorization").removeprefix("Bearer ")
    assert (await desk.alice.get("/v1/portfolio", headers={"x-api-key": key})).status_code == 200


async def test_what_the_engine_does_not_take_did_not_happen_and_may_be_sent_again(desk: Desk) -> None:
    desk.engine.refuses = True
    refused = await desk.alice.post("/v1/orders", json=desk.order())
    desk.engine.refuses = False
    again = await desk.alice.post("/v1/orders", json=desk.order())
    assert (refused.status_code, kind(refused), "retry-after" in refused.headers) == (503, "not-sequenced", True)
    assert (again.status_code, again.headers.get("idempotent-replayed")) == (201, None)


async def test_an_engine_that_does_not_answer_leaves_the_outcome_unknown_and_a_repeat_tells(
    ledger_dsn: str, redis_url: str
) -> None:
    async with open_desk(ledger_dsn, redis_url, engine_deadline_ms=150) as desk:
        desk.engine.is_silent = True
        unknown = await insist(desk, desk.order(), 503)
        desk.engine.is_silent = False
        told = await insist(desk, desk.order(), 503, 504)
        assert (unknown.status_code, kind(unknown)) == (504, "outcome-unknown")
        assert (told.status_code, told.json()["sequence"], told.headers["idempotent-replayed"]) == (201, 1, "true")


async def test_more_orders_than_allowed_at_once_are_refused_at_once(ledger_dsn: str, redis_url: str) -> None:
    async with open_desk(ledger_dsn, redis_url, in_flight_max=1) as desk:
        desk.engine.is_silent = True
        first = asyncio.create_task(desk.alice.post("/v1/orders", json=desk.order()))
        await eventually(lambda: desk.gateway.work.in_flight == 1, "the first order is in flight")
        second = await desk.bob.post("/v1/orders", json=desk.order())
        assert (second.status_code, kind(second)) == (503, "overloaded")
        desk.engine.is_silent = False
        desk.engine.break_streams()
        assert (await first).status_code == 201


async def test_paths_that_do_not_exist_are_problems_too(desk: Desk) -> None:
    assert kind(await desk.alice.get("/v2")) == "http"
    assert kind(await desk.alice.put("/v1/orders")) == "http"
    assert kind(await desk.alice.delete("/v1/orders/x")) == "invalid-request"
    assert kind(await desk.alice.get("/v1/book/NONE")) == "not-found"


async def test_an_order_given_up_before_it_was_sent_is_never_sent(ledger_dsn: str, redis_url: str) -> None:
    async with open_desk(ledger_dsn, redis_url, engine_deadline_ms=100) as desk:
        await eventually(lambda: bool(desk.engine.streams), "the engine serves the stream")
        symbols, desk.engine.book.symbols = desk.engine.book.symbols, ("OTHER",)
        desk.engine.break_streams()
        await eventually(lambda: not desk.gateway.engine.is_connected, "the stream is gone")
        refused = await desk.alice.post("/v1/orders", json=desk.order())
        desk.engine.book.symbols = symbols
        await eventually(lambda: desk.gateway.engine.is_connected, "the stream is back")
        later = await insist(desk, desk.order(client_order_id="a-2"), 503, 504)
        assert (refused.status_code, kind(refused)) == (503, "not-sequenced")
        assert [result.command.client_order_id for result in desk.engine.book.results] == ["a-2"]
        assert later.json()["sequence"] == 1


async def test_a_refusal_of_a_second_sending_does_not_deny_the_first(desk: Desk) -> None:
    desk.engine.is_silent = True
    waiting = asyncio.create_task(desk.alice.post("/v1/orders", json=desk.order()))
    await eventually(lambda: bool(desk.engine.book.results), "the engine has the order")
    desk.engine.is_silent, desk.engine.refuses = False, True
    desk.engine.break_streams()
    answer = await waiting
    assert (answer.status_code, kind(answer)) == (504, "outcome-unknown")


@pytest.mark.parametrize(
    "path", ["/v1/orders", "/v1/orders/1", "/v1/portfolio", "/v1/book/AAPL", "/readyz", "/metrics"]
)
async def test_no_trace_of_a_failure_leaves_the_process(desk: Desk, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret of the inside")

    for broken, method in (
        (desk.gateway.access, "account_of"), (desk.gateway, "not_ready"), (desk.gateway, "exposition"),
    ):  # fmt: skip
        monkeypatch.setattr(broken, method, fail)
    quiet = httpx.ASGITransport(build(desk.gateway), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=quiet, base_url="http://gateway", headers=desk.alice.headers) as client:
        methods = {"/v1/orders": ("POST",), "/v1/orders/1": ("GET", "DELETE")}.get(path, ("GET",))
        for method in methods:
            answer = await client.request(method, path, **({"json": desk.order()} if method == "POST" else {}))
            assert (answer.status_code, kind(answer)) == (500, "internal")
            assert "secret" not in answer.text
            assert "Traceback" not in answer.text
