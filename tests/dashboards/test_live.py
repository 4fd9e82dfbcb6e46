"""The page of a live cluster asks its own server, which answers for the boards alone and on loopback alone."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dashboards.catalogue import BY_NAME
from dashboards.live import BoardsServer
from dashboards.photos import CHROMIUM
from dashboards.queries import Sources, Span


@pytest.fixture(scope="module")
def server(sources: Sources) -> Iterator[httpx.Client]:
    with BoardsServer(0, sources) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_address[1]}", trust_env=False) as client:
            yield client
        server.shutdown()
        thread.join()


def asked(span: Span, **more: str) -> dict[str, str]:
    return {"board": "overview", "from": str(span.from_s), "until": str(span.until_s), **more}


def test_the_page_is_served_with_all_boards(server: httpx.Client) -> None:
    text = server.get("/").text
    assert '"mode":"live"' in text
    assert all(f'"{name}"' in text for name in BY_NAME)


def test_a_board_is_answered_panel_by_panel(server: httpx.Client, span: Span) -> None:
    answer = server.get("/answer", params=asked(span)).json()
    assert len(answer["panels"]) == len(BY_NAME["overview"].panels)
    titles = [panel.title for panel in BY_NAME["overview"].panels]
    answering = answer["panels"][titles.index("Does each part answer")]["series"]
    assert {"engine", "gateway-1", "haproxy"} <= {line["name"] for line in answering}


def test_a_browser_draws_what_the_server_answers(server: httpx.Client, span: Span, tmp_path: Path) -> None:
    seen = f"#board=order_path&from={span.from_s * 1000:.0f}&to={span.until_s * 1000:.0f}"
    command = [*CHROMIUM, f"--user-data-dir={tmp_path}", "--dump-dom", f"{server.base_url}/{seen}"]
    drawn = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert re.findall(r'<a [^>]*class="here">([^<]+)</a>', drawn) == ["Order path"]
    assert "<canvas" in drawn


def test_a_choice_narrows_the_answer(server: httpx.Client, span: Span) -> None:
    answer = server.get("/answer", params=asked(span, board="order_path", **{"var-instance": "gateway-1"})).json()
    titles = [panel.title for panel in BY_NAME["order_path"].panels]
    lag = answer["panels"][titles.index("Event loop lag")]
    assert [line["name"] for line in lag["series"]] == ["gateway-1"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"board": "nonsense"}, "board is 'nonsense'; use one of overview"),
        ({"board": "order_path", "var-instance": 'x"} or up{a="'}, "use letters, digits"),
        ({"from": "yesterday"}, "must be seconds"),
        ({"from": "0"}, "is no range"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(
    server: httpx.Client, span: Span, given: dict[str, str], said: str
) -> None:
    refusal = server.get("/answer", params=asked(span) | given)
    assert (refusal.status_code, said in refusal.text) == (400, True)


def test_a_page_elsewhere_cannot_read_the_boards_by_a_name_of_its_own(server: httpx.Client) -> None:
    refusal = server.get("/", headers={"Host": "evil.example:80"})
    assert (refusal.status_code, refusal.text) == (400, "asked for evil.example; use 127.0.0.1 or localhost")
