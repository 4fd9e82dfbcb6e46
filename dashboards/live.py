"""The boards of a live cluster in a browser where there is no Grafana: a small server on loopback.

    python -m dashboards.live --port 20010 --prometheus 127.0.0.1:20011 [--loki 127.0.0.1:20012]

It works only while somebody looks: each refresh of a page is one request, and asks the queries of one board.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dashboards import page
from dashboards.catalogue import BY_NAME
from dashboards.queries import QueryError, Sources, Span

HOST = "127.0.0.1"
SPANS = {"last minute": 60, "last 5 minutes": 300, "last 15 minutes": 900, "last hour": 3600, "last 6 hours": 21600}
SPAN_MAX_S = 7 * 86400
CHOSEN = re.compile(r"[\w.+*|:-]{1,100}")
ASKING_MAX = 4
"""Requests that ask Prometheus at once; more wait."""


class Refused(Exception):
    """The request cannot be answered; the text says why."""


class Boards(BaseHTTPRequestHandler):
    """One request. `server` carries the sources."""

    server: BoardsServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        try:
            self._refuse_foreign_names()
            status, kind, body = 200, *self._answer(url.path, parse_qs(url.query))
        except Refused as refusal:
            status, kind, body = 400, "text/plain", str(refusal)
        except QueryError as error:
            status, kind, body = 502, "text/plain", str(error)
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def _refuse_foreign_names(self) -> None:
        """A page elsewhere could point its own name at this address, and read what it gets."""
        name = (self.headers.get("Host") or "").partition(":")[0]
        if name not in (HOST, "localhost"):
            raise Refused(f"asked for {name or 'no host'}; use {HOST} or localhost")

    def _answer(self, path: str, given: dict[str, list[str]]) -> tuple[str, str]:
        match path:
            case "/":
                return "text/html", self.server.page()
            case "/healthz":
                return "text/plain", "ok\n"
            case "/answer":
                with self.server.asking:
                    return "application/json", json.dumps(answer(self.server.sources, given), allow_nan=False)
        raise Refused(f"{path} is not here; use /")

    def log_message(self, *_: Any) -> None:
        """Nothing: a line for each refresh tells nobody anything."""


class BoardsServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, sources: Sources) -> None:
        super().__init__((HOST, port), Boards)
        self.sources = sources
        self.asking = threading.BoundedSemaphore(ASKING_MAX)

    def page(self) -> str:
        now = time.time()
        values = page.values_of(self.sources, Span(now - max(SPANS.values()), now))
        spans = [{"name": name, "seconds": seconds} for name, seconds in SPANS.items()]
        document = {"mode": "live", "spans": spans, "boards": page.layouts(values)}
        return page.html("Boards, live", document, f"{page.NOTE} It refreshes itself.")


def answer(sources: Sources, given: dict[str, list[str]]) -> dict[str, Any]:
    """Raises Refused, QueryError."""
    name = given.get("board", [""])[0]
    if name not in BY_NAME:
        raise Refused(f"board is {name!r}; use one of {', '.join(BY_NAME)}")
    board = BY_NAME[name]
    choice = {
        variable.name: given[f"var-{variable.name}"][0]
        for variable in board.variables
        if f"var-{variable.name}" in given
    }
    for variable, value in choice.items():
        if not CHOSEN.fullmatch(value):
            raise Refused(f"var-{variable} is {value!r}; use letters, digits and . + * | : - _")
    return page.answer(board, sources, _span(given), choice)


def _span(given: dict[str, list[str]]) -> Span:
    try:
        from_s, until_s = (float(given[name][0]) for name in ("from", "until"))
    except (KeyError, ValueError) as error:
        raise Refused("from and until must be seconds since 1970") from error
    if not (math.isfinite(from_s) and 0 < until_s - from_s <= SPAN_MAX_S):
        raise Refused(f"from {from_s:g} until {until_s:g} is no range of at most {SPAN_MAX_S} s")
    return Span(from_s, until_s)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dashboards.live", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--prometheus", required=True, help="host:port")
    parser.add_argument("--loki", help="host:port")
    given = parser.parse_args()
    with Sources(given.prometheus, given.loki) as sources, BoardsServer(given.port, sources) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
