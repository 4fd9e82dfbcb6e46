"""A running engine and short words for orders: `engine.buy(100, 10)`."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import grpc

from target_system.proto import engine_pb2 as pb
from target_system.proto.engine_pb2_grpc import EngineStub

DEADLINE_S = 20.0
SYMBOLS = ("AAPL", "CSCO")


def new(side: int, price: int, quantity: int, client_order_id: str, **fields: Any) -> pb.Command:
    values: dict[str, Any] = {"account": 1, "order_type": pb.LIMIT, "received_ns": 1_700_000_000_000_000_000} | fields
    return pb.Command(
        kind=pb.NEW, side=side, price_ticks=price, quantity_lots=quantity, client_order_id=client_order_id, **values
    )


def command_line(binaries: Path, journal: Path, **flags: object) -> list[str]:
    values = {"listen": "127.0.0.1:0", "metrics": "127.0.0.1:0", "journal": journal, "symbols": ",".join(SYMBOLS)}
    merged = values | {name.replace("_", "-"): value for name, value in flags.items()}
    return [str(binaries / "engine"), *(text for name, value in merged.items() for text in (f"--{name}", str(value)))]


@dataclass
class EngineServer:
    binaries: Path
    journal: Path
    process: subprocess.Popen[str]
    events: list[dict[str, Any]]
    channel: grpc.Channel
    stub: Any
    ids: count[int] = field(default_factory=lambda: count(1))

    @classmethod
    def start(cls, binaries: Path, journal: Path, **flags: object) -> EngineServer:
        process = subprocess.Popen(command_line(binaries, journal, **flags), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        events: list[dict[str, Any]] = []
        for line in process.stdout:
            events.append(json.loads(line))
            if events[-1]["event"] == "engine_started":
                break
        else:
            raise RuntimeError(f"engine ended with {process.wait(DEADLINE_S)}: {events}")
        channel = grpc.insecure_channel(f"127.0.0.1:{events[-1]['port']}")
        return cls(binaries, journal, process, events, channel, EngineStub(channel))

    def submit(self, command: pb.Command) -> pb.Result:
        result: pb.Result = self.stub.Submit(command, timeout=DEADLINE_S, wait_for_ready=True)
        return result

    def buy(self, price: int, quantity: int, **fields: Any) -> pb.Result:
        return self.submit(new(pb.BUY, price, quantity, f"b{next(self.ids)}", **fields))

    def sell(self, price: int, quantity: int, **fields: Any) -> pb.Result:
        return self.submit(new(pb.SELL, price, quantity, f"s{next(self.ids)}", **fields))

    def cancel(self, order_id: int, account: int = 1) -> pb.Result:
        command = pb.Command(kind=pb.CANCEL, account=account, client_order_id=f"~c{order_id}", order_id=order_id)
        return self.submit(command)

    def stream(self, batches: Iterable[pb.CommandBatch]) -> list[pb.Result]:
        """Sends all batches; the results in the order in which they came."""
        return [r for batch in self.stub.Stream(iter(batches), timeout=DEADLINE_S) for r in batch.results]

    def results(self, first: int, last: int) -> list[pb.Result]:
        asked = pb.ResultsRequest(first_sequence=first, last_sequence=last)
        return list(self.stub.Results(asked, timeout=DEADLINE_S, wait_for_ready=True).results)

    def status(self) -> pb.StatusReply:
        reply: pb.StatusReply = self.stub.Status(pb.StatusRequest(), timeout=DEADLINE_S, wait_for_ready=True)
        return reply

    def book(self, symbol: int = 0, depth: int = 10) -> pb.BookReply:
        reply: pb.BookReply = self.stub.Book(pb.BookRequest(symbol=symbol, depth=depth), timeout=DEADLINE_S)
        return reply

    def dump(self) -> list[pb.RestingOrder]:
        return [order for part in self.stub.Dump(pb.DumpRequest(), timeout=DEADLINE_S) for order in part.orders]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def terminate(self) -> int:
        """SIGTERM; the exit code. What it logged meanwhile is added to `events`."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stdout is not None
        self.events += [json.loads(line) for line in self.process.stdout]
        return self.process.wait(DEADLINE_S)

    def replay(self) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
        """What engine-replay says of this journal: summary, results, books."""
        results, books = self.journal.parent / "results.jsonl", self.journal.parent / "books.json"
        command = [str(self.binaries / "engine-replay"), "--journal", str(self.journal)]
        done = subprocess.run(
            [*command, "--results", str(results), "--books", str(books)], check=True, capture_output=True, text=True
        )
        lines = [json.loads(line) for line in results.read_text().splitlines()]
        return json.loads(done.stdout), lines, json.loads(books.read_text())

    def close(self) -> None:
        self.channel.close()
        if self.process.poll() is None:
            self.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()
