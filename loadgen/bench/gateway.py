"""One gateway on a core of its own, behind nothing, with the real engine, Postgres and Redis on the other cores.

Beside it in turns an empty handler of the same frameworks on the same core, loaded by the same generator. The gateway
waits for the others, so its orders a second are the pipeline's; its cost is the CPU time of an order.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import AF_INET, create_connection, socket
from typing import Any

import msgspec
import psutil

from deploy.cluster import Cluster
from deploy.topology import Topology
from loadgen.assignment import Assignment
from loadgen.bench import BenchError
from loadgen.campaign import Campaign
from loadgen.generator import Generator
from loadgen.latency import read_receipts
from loadgen.receipts import OK
from loadgen.window import assign

Say = Callable[[str], None]

USERS = 40
WARM_UP_S = 1.0
READY_DEADLINE_S = 20.0
EMPTY_HANDLER = "loadgen.bench.empty_handler"


@dataclass(frozen=True, slots=True)
class Size:
    rounds: int = 3
    seconds_each: float = 5.0


@dataclass(frozen=True, slots=True)
class Turn:
    """`cpu_us`: user and system time of the process for each order that it answered."""

    orders_per_s: float
    cpu_us: float


def measure(size: Size, directory: Path, say: Say) -> dict[str, Any]:
    """Medians over the rounds. Raises BenchError on a machine with a single core."""
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        raise BenchError("the gateway needs a core of its own; this machine has one")
    turns: dict[str, list[Turn]] = {"gateway": [], "empty_handler": []}
    with Cluster.up(_topology(first, others), directory) as cluster, empty_handler(first) as (port, pid):
        gateway_pid = next(part.pid for part in cluster.parts() if part.name == "gateway-1")
        assert gateway_pid is not None
        gateway_port = int(cluster.address("gateway-1").rpartition(":")[2])
        for number in range(size.rounds):
            for name, to, of in (("gateway", gateway_port, gateway_pid), ("empty_handler", port, pid)):
                turns[name].append(_turn(cluster, size, f"{name}-{number}", to, of, directory.parent))
                say(f"{name}: {turns[name][-1].orders_per_s:,.0f} orders/s, {turns[name][-1].cpu_us:.0f} µs each")
    return figures(turns, size)


def figures(turns: dict[str, list[Turn]], size: Size) -> dict[str, Any]:
    cpu_us = {name: statistics.median(turn.cpu_us for turn in found) for name, found in turns.items()}
    per_s = {name: statistics.median(turn.orders_per_s for turn in found) for name, found in turns.items()}
    return {
        "orders_per_s": round(per_s["gateway"]),
        "cpu_us_per_order": round(cpu_us["gateway"], 1),
        "orders_per_core_s": round(1e6 / cpu_us["gateway"]),
        "empty_handler_per_s": round(per_s["empty_handler"]),
        "empty_handler_cpu_us": round(cpu_us["empty_handler"], 1),
        "ratio": round(cpu_us["empty_handler"] / cpu_us["gateway"], 3),
        "users": USERS,
        "rounds": size.rounds,
        "seconds_each": size.seconds_each,
    }


def _topology(first: int, others: list[int]) -> Topology:
    rest = ",".join(map(str, others))
    parts = ("ledger", "engine", "redis", "haproxy", "settler", "generator")
    return Topology().path_alone().with_overrides(
        {"gateways": 1, "gateways.cpuset": str(first), **{f"{part}.cpuset": rest for part in parts}}
    )  # fmt: skip


def _turn(cluster: Cluster, size: Size, prefix: str, port: int, pid: int, scratch: Path) -> Turn:
    receipts = scratch / f"{prefix}.receipts"
    process = psutil.Process(pid)
    before = process.cpu_times()
    with Generator(_assignment(cluster, size, prefix, port, receipts), cluster.group("generator").place,
                   scratch / "generator.log") as generator:  # fmt: skip
        for _ in generator:
            pass
    after = process.cpu_times()
    answered = int((read_receipts(receipts)["outcome"] == OK).sum())
    if not answered:
        raise BenchError(f"{prefix}: no order was answered; its log is in {scratch}")
    cpu_s = after.user + after.system - before.user - before.system
    return Turn(answered / (WARM_UP_S + size.seconds_each), cpu_s / answered * 1e6)


def _assignment(cluster: Cluster, size: Size, prefix: str, port: int, receipts: Path) -> Assignment:
    campaign = Campaign.model_validate({
        "name": "bench", "title": "New orders to one gateway", "topology": "unbounded",
        "load": {"users": USERS, "warm_up_s": WARM_UP_S, "duration_s": size.seconds_each},
        "flow": {"add": 0.8, "cancel": 0.0, "take": 0.2},
    })  # fmt: skip
    return msgspec.structs.replace(assign(cluster, campaign, campaign.plan()[0], prefix, receipts), port=port)


@contextmanager
def empty_handler(core: int) -> Iterator[tuple[int, int]]:
    """Its port and pid, once it answers."""
    with socket(AF_INET) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", EMPTY_HANDLER, str(port)]
    server = subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, {core}))  # its threads inherit it
    try:
        _await_listener(port)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(READY_DEADLINE_S)


def _await_listener(port: int) -> None:
    deadline = time.monotonic() + READY_DEADLINE_S
    while True:
        try:
            create_connection(("127.0.0.1", port), 1.0).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise BenchError(f"{EMPTY_HANDLER} does not answer after {READY_DEADLINE_S:g} s") from error
            time.sleep(0.05)
