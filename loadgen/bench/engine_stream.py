"""What one Python process gets through the engine's stream: a gateway's way to the engine, without the gateway.

Messages of many orders, composed ahead of time, a bounded number of them unanswered, to an engine whose journal is in
memory. By grpcio and by the gateway's own stream (decision 3), in turns, each time on a fresh engine.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Semaphore
from typing import Any

import grpc

from deploy.install.engine import engine_dir
from loadgen.bench import BenchError
from target_system.gateway.grpc_stream import open_stream
from target_system.proto import engine_pb2 as pb

METHOD = "/lab.engine.v1.Engine/Stream"
DEADLINE_S = 120.0
MEMORY = Path("/dev/shm")
SYMBOLS = 8
PRICE_TICKS = 10_000


@dataclass(frozen=True, slots=True)
class Size:
    orders: int = 500_000
    per_message: int = 64
    in_flight: int = 8
    repetitions: int = 3


def measure(size: Size) -> dict[str, Any]:
    """Orders a second from this process, medians: `python_stream_orders_per_s` is the gateway's own stream."""
    messages = _messages(size)
    rates: dict[str, list[float]] = {"python_stream": [], "python_grpcio_stream": []}
    for _ in range(size.repetitions):
        for name, way in (("python_stream", _by_own_stream), ("python_grpcio_stream", _by_grpcio)):
            with _engine(size.orders) as target:
                begun = time.monotonic()
                way(target, messages, size)
                rates[name].append(size.orders / (time.monotonic() - begun))
    return {f"{name}_orders_per_s": round(statistics.median(found)) for name, found in rates.items()}


def _messages(size: Size) -> list[bytes]:
    """Limit orders around one price, a third of which trade."""
    draw = Random(1)
    commands = [
        pb.Command(
            request=n, kind=pb.NEW, account=n % 64, client_order_id=f"o{n}", symbol=n % SYMBOLS,
            side=draw.choice((pb.BUY, pb.SELL)), order_type=pb.LIMIT,
            price_ticks=PRICE_TICKS + draw.randint(-8, 8), quantity_lots=draw.randint(1, 100), received_ns=n,
        )
        for n in range(1, size.orders + 1)
    ]  # fmt: skip
    cuts = range(0, len(commands), size.per_message)
    return [pb.CommandBatch(commands=commands[at : at + size.per_message]).SerializeToString() for at in cuts]


def _sequenced(answer: bytes) -> int:
    """How many results of an answer have their place in the sequence."""
    return sum(result.sequence > 0 for result in pb.ResultBatch.FromString(answer).results)


def _by_grpcio(target: str, messages: Sequence[bytes], size: Size) -> None:
    allowed = Semaphore(size.in_flight)

    def paced() -> Iterator[bytes]:
        for message in messages:
            if not allowed.acquire(timeout=DEADLINE_S):
                return
            yield message

    answered = 0
    with grpc.insecure_channel(target) as channel:
        for answer in channel.stream_stream(METHOD)(paced(), timeout=DEADLINE_S):
            before, answered = answered, answered + _sequenced(answer)
            _release(allowed, answered // size.per_message - before // size.per_message)
    if answered != size.orders:
        raise BenchError(f"{answered} of {size.orders} orders were answered")


def _release(allowed: Semaphore, count: int) -> None:
    if count > 0:
        allowed.release(count)


def _by_own_stream(target: str, messages: Sequence[bytes], size: Size) -> None:
    asyncio.run(_stream(target, messages, size))


async def _stream(target: str, messages: Sequence[bytes], size: Size) -> None:
    answered = sent = 0
    all_answered = asyncio.get_running_loop().create_future()

    def take(answer: bytes) -> None:
        nonlocal answered
        answered += _sequenced(answer)
        send()
        if answered == size.orders and not all_answered.done():
            all_answered.set_result(None)

    def send() -> None:
        nonlocal sent
        while sent < min(answered // size.per_message + size.in_flight, len(messages)):
            stream.send(messages[sent])
            sent += 1

    stream = await open_stream(target, METHOD, take, DEADLINE_S)
    send()
    await asyncio.wait((all_answered, stream.ended), timeout=DEADLINE_S, return_when=asyncio.FIRST_COMPLETED)
    if not all_answered.done():
        why = stream.ended.result() if stream.ended.done() else f"nothing more within {DEADLINE_S:g} s"
        raise BenchError(f"{answered} of {size.orders} orders were answered: {why}")
    stream.close()


@contextmanager
def _engine(ids_max: int) -> Iterator[str]:
    """The address of an engine of our own."""
    program = engine_dir() / "engine"
    if not program.exists():
        raise BenchError(f"{program} is missing; make setup")
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        symbols = ",".join(f"S{n}" for n in range(SYMBOLS))
        flags = {"listen": "127.0.0.1:0", "metrics": "127.0.0.1:0", "journal": f"{folder}/journal"}
        flags |= {"symbols": symbols, "max-orders": str(ids_max), "max-ids": str(ids_max)}
        words = [word for flag, value in flags.items() for word in (f"--{flag}", value)]
        process = subprocess.Popen([str(program), *words], stdout=subprocess.PIPE, text=True)
        try:
            yield f"127.0.0.1:{_port(process)}"
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        said = json.loads(line)
        if said["event"] == "engine_started":
            return int(said["port"])
    raise BenchError("the engine ended before it listened")
