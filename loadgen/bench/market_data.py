"""A stream of books against polling for them: how old what a client knows is, and what it costs the servers.

A steady load trades. The same number of clients first hold WebSockets, then ask for each book at a fixed interval, in
turns. A trade's age is the time from the gateway's receipt of its order to the moment a client knows of it:
streamed trades bring that time along, and a polled book is as new as its sequence number says.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from websockets.asyncio.client import connect

from deploy.cluster import Cluster
from deploy.topology import Topology
from loadgen.bench import BenchError
from loadgen.campaign import Campaign
from loadgen.load import Load
from loadgen.steady import steady_load

Say = Callable[[str], None]

DEADLINE_S = 10.0
FIRST_TRADE_DEADLINE_S = 30.0
SERVERS = ("market-data-1", "gateway-1", "redis", "haproxy")
"""What the clients of either kind keep busy; the orders' share is the same for both."""


@dataclass(frozen=True, slots=True)
class Size:
    clients: int = 20
    poll_interval_s: float = 0.1
    rounds: int = 3
    seconds_each: float = 5.0


@dataclass(slots=True)
class Seen:
    """What the clients of one turn saw. Trades by symbol: sequence → when the gateway received the taker's order."""

    received_ns: dict[str, dict[int, int]] = field(default_factory=dict)
    ages_ns: list[int] = field(default_factory=list)
    messages: int = 0
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Polled:
    symbol: str
    sequence: int
    at_ns: int


def measure(size: Size, directory: Path, say: Say) -> dict[str, Any]:
    """Ages in ms, messages and server CPU a second; `cpu_ratio` is polling against the stream."""
    topology = Topology().path_alone().with_overrides({
        "market_data.replicas": 1, "limits.per_key_per_s": None, "limits.total_per_s": None,
    })  # fmt: skip
    load = Load(users=8, think_time_s=0.02, duration_s=3_600)
    campaign = Campaign(name="market_data_bench", title="A steady load", topology="unbounded", load=load)
    directory.mkdir(parents=True, exist_ok=True)
    turns: dict[str, list[Seen]] = {"stream": [], "polling": []}
    with (
        Cluster.up(topology, directory / "cluster") as cluster,
        steady_load(cluster, campaign, "bench", directory / "receipts", directory / "generator.log"),
    ):
        _await_trades(cluster)
        for _ in range(size.rounds):
            for kind, way in (("stream", _stream), ("polling", _poll)):
                turns[kind].append(_turn(cluster, way, size))
                say(f"{kind}: {len(turns[kind][-1].ages_ns)} trades seen")
    return _figures(size, turns)


def _await_trades(cluster: Cluster) -> None:
    """The first orders find nobody to trade with. Raises BenchError."""
    first, until = Seen(), time.monotonic() + FIRST_TRADE_DEADLINE_S
    while not first.ages_ns:
        if time.monotonic() > until:
            raise BenchError(f"no trade within {FIRST_TRADE_DEADLINE_S:g} s of load; look at the engine and its feed")
        asyncio.run(_streaming(cluster, Size(seconds_each=1.0), first))


def _turn(cluster: Cluster, way: Callable[[Cluster, Size, Seen], Any], size: Size) -> Seen:
    seen = Seen()
    before = _cpu_s(cluster)
    asyncio.run(way(cluster, size, seen))
    seen.cpu_s = _cpu_s(cluster) - before
    if not seen.ages_ns:
        raise BenchError(f"no trade was seen within {size.seconds_each:g} s; load longer, or look at the market data")
    return seen


def _cpu_s(cluster: Cluster) -> float:
    return sum(part.cpu_seconds for part in cluster.parts() if part.name in SERVERS)


async def _stream(cluster: Cluster, size: Size, seen: Seen) -> None:
    await asyncio.gather(*(_streaming(cluster, size, seen) for _ in range(size.clients)))


async def _streaming(cluster: Cluster, size: Size, seen: Seen) -> None:
    until = time.monotonic() + size.seconds_each
    headers = {"x-api-key": _key(cluster)}
    async with connect(f"ws://{cluster.address('haproxy')}/v1/stream", additional_headers=headers) as socket:
        while (left_s := until - time.monotonic()) > 0:
            try:
                told = json.loads(await asyncio.wait_for(socket.recv(), left_s))
            except TimeoutError:
                return
            now_ns = time.time_ns()
            seen.messages += 1
            for trade in told.get("trades", ()):
                seen.ages_ns.append(now_ns - trade["time_ns"])
                seen.received_ns.setdefault(told["symbol"], {})[told["sequence"]] = trade["time_ns"]


async def _poll(cluster: Cluster, size: Size, seen: Seen) -> None:
    """One client streams beside the pollers, so that it is known when what they see happened."""
    witness = Seen()
    streaming = asyncio.create_task(_streaming(cluster, size, witness))
    polled = await asyncio.gather(*(_polling(cluster, size) for _ in range(size.clients)))
    await streaming
    seen.messages = sum(len(books) for books in polled)
    for books in polled:
        for symbol, trades in witness.received_ns.items():
            mine = [book for book in books if book.symbol == symbol]
            sequences = [book.sequence for book in mine]
            for sequence, received_ns in trades.items():
                first = bisect_left(sequences, sequence)
                if first < len(mine):
                    seen.ages_ns.append(mine[first].at_ns - received_ns)


async def _polling(cluster: Cluster, size: Size) -> list[Polled]:
    books: list[Polled] = []
    until = time.monotonic() + size.seconds_each
    headers = {"x-api-key": _key(cluster)}
    async with httpx.AsyncClient(
        base_url=f"http://{cluster.address('haproxy')}", headers=headers, timeout=DEADLINE_S, trust_env=False
    ) as client:
        due = time.monotonic()
        while time.monotonic() < until:
            for symbol in cluster.topology.symbols:
                book = (await client.get(f"/v1/book/{symbol}")).raise_for_status().json()
                books.append(Polled(symbol, book["sequence"], time.time_ns()))
            due += size.poll_interval_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    return books


def _key(cluster: Cluster) -> str:
    return str(json.loads(cluster.secrets.api_keys.read_text())["1"])


def _figures(size: Size, turns: dict[str, list[Seen]]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for kind, seen in turns.items():
        ages_ms = np.array([age for turn in seen for age in turn.ages_ns]) / 1e6
        figures |= {
            f"{kind}_age_p50_ms": round(float(np.quantile(ages_ms, 0.5)), 1),
            f"{kind}_age_p99_ms": round(float(np.quantile(ages_ms, 0.99)), 1),
            f"{kind}_messages_per_s": round(sum(turn.messages for turn in seen) / size.rounds / size.seconds_each),
            f"{kind}_cpu_cores": round(statistics.median(turn.cpu_s for turn in seen) / size.seconds_each, 3),
        }
    figures["cpu_ratio"] = round(figures["polling_cpu_cores"] / figures["stream_cpu_cores"], 2)
    return figures | {"clients": size.clients, "poll_interval_s": size.poll_interval_s, "rounds": size.rounds}
