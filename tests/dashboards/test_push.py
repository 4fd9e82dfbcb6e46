"""A push brings a Grafana to the lab's boards, with requests that Grafana's own description of its API allows.

The description is Grafana 9.4's, cut down to what concerns boards: public/openapi3.json of github.com/grafana/grafana.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest

from dashboards import push
from dashboards.catalogue import BOARDS
from dashboards.commands import announce
from dashboards.push import Thing, What
from deploy.cluster import Cluster
from deploy.topology import Topology

DESCRIPTION = OpenAPI.from_dict(json.loads((Path(__file__).parent / "data/grafana_openapi_9.4.json").read_text()))
PROMETHEUS, LOKI = "http://127.0.0.1:1", "http://127.0.0.1:2"
THINGS = 3 + len(BOARDS)


@dataclass
class Grafana(ThreadingHTTPServer):
    """It keeps what it is sent, and checks every request against the description."""

    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        return f"http://admin:secret@127.0.0.1:{self.server_address[1]}"

    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path in self.requests if method != "GET"]


class Answer(BaseHTTPRequestHandler):
    server: Grafana

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        self.server.requests.append((self.command, path))
        request = MockRequest(
            "http://127.0.0.1", self.command.lower(), path, data=body or None, content_type="application/json",
            headers={"Authorization": self.headers.get("Authorization", "")},
        )  # fmt: skip
        try:
            DESCRIPTION.validate_request(request)
        except Exception as fault:  # noqa: BLE001 - whatever is wrong with a request is what this server is for
            self.server.faults.append(f"{self.command} {path}: {fault!r} {fault.__cause__!r}")
        status, content = self.answer(path, json.loads(body) if body else {})
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = handle_one

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        kept, place = self.server.kept, path.removeprefix("/api")
        if self.command == "GET":
            return (200, kept[place]) if place in kept else (404, {"message": "not found"})
        match place:
            case "/folders":
                kept[f"/folders/{body['uid']}"] = {"id": 1, **body}
            case "/datasources":
                kept[f"/datasources/uid/{body['uid']}"] = {"id": 1, "readOnly": False, **body}
            case "/dashboards/db":
                board = body["dashboard"]
                kept[f"/dashboards/uid/{board['uid']}"] = {
                    "meta": {"folderUid": body["folderUid"]},
                    "dashboard": {**board, "id": 7, "version": 1},
                }
            case _:
                kept[place] = {**kept[place], **body}
        return 200, {"status": "success"}

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    with Grafana() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
    assert server.faults == []


def pushed(grafana: Grafana, prometheus: str = PROMETHEUS) -> list[push.Step]:
    client = push.client(grafana.url)
    steps = push.compare(client, prometheus, LOKI)
    push.apply(client, steps)
    return steps


def test_an_empty_grafana_gets_the_folder_the_sources_and_every_board(grafana: Grafana) -> None:
    steps = pushed(grafana)
    assert [step.what for step in steps] == [What.CREATE] * THINGS
    assert {f"/dashboards/uid/{board.uid}" for board in BOARDS} <= set(grafana.kept)
    assert grafana.kept["/datasources/uid/lab-prometheus"]["url"] == PROMETHEUS


def test_a_second_push_writes_nothing(grafana: Grafana) -> None:
    pushed(grafana)
    grafana.requests.clear()
    assert [step.what for step in pushed(grafana)] == [What.KEEP] * THINGS
    assert grafana.writes() == []


def test_a_comparison_alone_only_reads(grafana: Grafana) -> None:
    push.compare(push.client(grafana.url), PROMETHEUS, LOKI)
    assert grafana.writes() == []


def test_what_was_edited_in_grafana_is_shown_as_a_diff_and_alone_written_again(grafana: Grafana) -> None:
    pushed(grafana)
    grafana.kept["/dashboards/uid/lab-overview"]["dashboard"]["title"] = "Mine"
    grafana.requests.clear()
    changed = [step for step in pushed(grafana) if step.what is not What.KEEP]
    assert [(step.thing, step.uid) for step in changed] == [(Thing.BOARD, "lab-overview")]
    assert {'- "title": "Mine",', '+ "title": "Overview",'} <= set(changed[0].diff)
    assert grafana.writes() == [("POST", "/api/dashboards/db")]
    assert grafana.kept["/dashboards/uid/lab-overview"]["dashboard"]["title"] == "Overview"


def test_a_data_source_follows_a_cluster_that_moved(grafana: Grafana) -> None:
    pushed(grafana)
    pushed(grafana, "http://127.0.0.1:3")
    assert grafana.kept["/datasources/uid/lab-prometheus"]["url"] == "http://127.0.0.1:3"


def test_a_grafana_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(push.PushError, match="Grafana did not show lab"):
        push.compare(push.client("http://admin:secret@127.0.0.1:9"), PROMETHEUS, LOKI)


def test_a_cluster_that_comes_up_brings_the_grafana_of_the_environment_up_to_date(
    grafana: Grafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    def address(part: str) -> str:
        return f"127.0.0.1:{ {'boards': 1, 'prometheus': 2, 'loki': 3}[part] }"

    monkeypatch.setenv("GRAFANA_URL", grafana.url)
    announce(cast("Cluster", SimpleNamespace(topology=Topology(), grafana=None, address=address)))
    assert grafana.kept["/datasources/uid/lab-prometheus"]["url"] == "http://127.0.0.1:2"
    assert f"/dashboards/uid/{BOARDS[-1].uid}" in grafana.kept


def test_a_password_in_the_address_is_not_repeated() -> None:
    assert push.without_password("http://admin:secret@127.0.0.1:3000/g") == "http://127.0.0.1:3000/g"
