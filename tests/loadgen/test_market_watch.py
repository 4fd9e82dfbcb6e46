"""Those who watch the market beside a load, where there is none; on a live cluster: test_shipped_campaigns."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from loadgen.campaign import Campaign, CampaignError
from loadgen.generator import GeneratorError
from loadgen.market_watch import MarketWatch, Seen

CAMPAIGN = """\
name: watched
title: By stream, by polling and not at all
topology: unbounded
overrides: {market_data.replicas: 1, observability.boards: false}
sweep:
  load.watchers.kind: [none, stream, poll]
load: {users: 4, think_time_s: 0.02, warm_up_s: 1, duration_s: 3, watchers: {clients: 2, every_s: 0.1}}
"""


def test_watchers_without_market_data_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "watched.yaml"
    file.write_text(CAMPAIGN.replace("market_data.replicas: 1, ", ""))
    with pytest.raises(CampaignError, match=r"watchers: have no market data to watch; set overrides"):
        Campaign.read(file)


def test_clients_that_nobody_answers_are_not_waited_for_longer_than_their_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadgen.market_watch.READY_DEADLINE_S", 1.0)
    with pytest.raises(GeneratorError, match="said nothing for 1 s"), watching(tmp_path, "127.0.0.1:9"):
        pass


def test_clients_that_are_turned_away_say_so_at_once(tmp_path: Path) -> None:
    class NotYou(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_error(401)

    with HTTPServer(("127.0.0.1", 0), NotYou) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(GeneratorError, match="HTTP 401"), watching(tmp_path, f"127.0.0.1:{server.server_port}"):
            pass
        server.shutdown()


def watching(directory: Path, address: str) -> MarketWatch:
    """One client of the stream at this address."""
    planned = Campaign.model_validate({
        "name": "watched", "title": "One client", "topology": "unbounded",
        "load": {"users": 1, "duration_s": 1, "watchers": {"kind": "stream", "clients": 1}},
        "overrides": {"market_data.replicas": 1},
    }).plan()[0]  # fmt: skip
    keys = directory / "keys.json"
    keys.write_text('{"1": "a key"}')
    cluster: Any = SimpleNamespace(
        address=lambda _: address, host=lambda _: None, secrets=SimpleNamespace(api_keys=keys)
    )
    return MarketWatch(cluster, planned, directory)


def test_watchers_without_cpu_to_spare_make_the_window_invalid() -> None:
    seen = Seen("stream", np.empty((0, 2), np.int64), cpu_share=0.9)
    assert [reason.blames for reason in seen.invalidities("base/1")] == ["generator"]
