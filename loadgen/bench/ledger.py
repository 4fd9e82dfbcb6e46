"""What the ledger alone takes: a commit an order, many orders a commit, and pgbench with the same insert as yardstick.

The three take turns on one Postgres, a few seconds each, in an order drawn anew for each round; the medians are
compared. Nothing else of the pipeline works meanwhile. The rows are those of a plain order flow: one command in seven
makes a trade.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from signal import SIGSTOP
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

from deploy.cluster import Cluster
from deploy.local.site import POSTGRES_PROGRAMS
from deploy.topology import Topology
from loadgen.bench import BenchError
from target_system.ledger.connections import Connections, SilentWatcher
from target_system.ledger.rows import COMMAND_COLUMNS, Entry
from target_system.ledger.write_path import INSERT, Group, PerOrder, WritePath

Say = Callable[[str], None]

CLIENTS = 64
CONNECTIONS = 16
DEADLINE_S = 10.0
TRADE_EVERY = 7


@dataclass(frozen=True, slots=True)
class Size:
    rounds: int = 5
    seconds_each: int = 4


def measure(size: Size, directory: Path, say: Say) -> dict[str, Any]:
    """Orders committed a second by each way, medians over the rounds."""
    with Cluster.up(Topology().path_alone(), directory) as cluster:
        cluster.signal("settler", SIGSTOP)  # it would look for the engine's side of these rows
        (dsn,) = cluster.secrets.ledger_dsns
        rates = _in_turns(size, dsn, say)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    return {
        **{f"{name}_per_s": round(rate) for name, rate in medians.items()},
        "ratio": round(medians["group"] / medians["per_order"], 2),
        "per_order_of_pgbench": round(medians["per_order"] / medians["pgbench"], 2),
        "rounds": size.rounds,
        "seconds_each": size.seconds_each,
        "clients": CLIENTS,
        "connections": CONNECTIONS,
    }


def _in_turns(size: Size, dsn: str, say: Say) -> dict[str, list[float]]:
    sequence = itertools.count(1)
    ways: dict[str, Callable[[], float]] = {
        "per_order": lambda: asyncio.run(_write(PerOrder, dsn, sequence, size.seconds_each)),
        "group": lambda: asyncio.run(_write(Group, dsn, sequence, size.seconds_each)),
        "pgbench": lambda: _pgbench(dsn, size.seconds_each),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("CREATE SEQUENCE bench_sequence START 1000000000 CACHE 1000")
    draw = Random(1)
    for _ in range(size.rounds):
        for name in draw.sample(list(ways), len(ways)):
            rates[name].append(ways[name]())
            say(f"{name}: {rates[name][-1]:,.0f} orders/s")
    return rates


async def _write(kind: type[PerOrder | Group], dsn: str, sequence: Iterator[int], seconds: float) -> float:
    connections = Connections(dsn, CONNECTIONS, "1", SilentWatcher(), int(DEADLINE_S * 1e3))
    connections.start()
    ledger = kind([connections], DEADLINE_S, lambda: None)
    try:
        while connections.open_count < CONNECTIONS:
            connections.release(await connections.acquire(DEADLINE_S))
            await asyncio.sleep(0)
        begun = time.monotonic()
        counts = await asyncio.gather(*(_client(ledger, sequence, begun + seconds) for _ in range(CLIENTS)))
        return sum(counts) / (time.monotonic() - begun)
    finally:
        await connections.close()


async def _client(ledger: WritePath, sequence: Iterator[int], until: float) -> int:
    count = 0
    while time.monotonic() < until:
        await ledger.record(_entry(next(sequence)))
        count += 1
    return count


def _entry(sequence: int) -> Entry:
    name = f"bench-{sequence}"
    row = (sequence, sequence, 10_000, 10, 0, 10, 0, 1, sequence % 64, 1, 1, 1, 0, 0, 1, 0, name, "AAPL", None)
    trade = (sequence, sequence, sequence - 1, 10_000, 10, 1, 2, 1, "AAPL")
    return Entry(sequence, 0, row, (trade,) if sequence % TRADE_EVERY == 0 else (), ())


def _pgbench(dsn: str, seconds: int) -> float:
    """Transactions a second of the same two statements, as prepared by pgbench. Raises BenchError."""
    with TemporaryDirectory() as folder:
        scripts = []
        for trades, weight in ((0, TRADE_EVERY - 1), (1, 1)):
            script = Path(folder) / f"{trades}.sql"
            script.write_text(_script(INSERT[trades], trades))
            scripts += ["-f", f"{script}@{weight}"]
        address, passfile = _address(dsn)
        command = [str(POSTGRES_PROGRAMS / "pgbench"), "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "1"]
        done = subprocess.run(
            [*command, "-T", str(seconds), *scripts, *address],
            capture_output=True,
            text=True,
            check=False,
            env={"PGPASSFILE": passfile},
            timeout=seconds + DEADLINE_S * 3,
        )
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    if done.returncode != 0 or found is None:
        raise BenchError(f"pgbench ended with exit {done.returncode}: {done.stderr.strip()}")
    return float(found[1])


def _script(insert: str, trades: int) -> str:
    """The ledger's statement with literals in the place of its parameters, the keys drawn from a sequence."""
    values: Sequence[object] = _entry(TRADE_EVERY if trades else 1).row
    if trades:
        values = (*values, *_entry(TRADE_EVERY).trades[0])
    texts = ["NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value) for value in values]
    texts[0] = "nextval('bench_sequence')"
    texts[COMMAND_COLUMNS.index("client_order_id")] = "'pgbench-' || currval('bench_sequence')"
    return re.sub(r"\$(\d+)", lambda place: texts[int(place[1]) - 1], insert) + ";\n"


def _address(dsn: str) -> tuple[list[str], str]:
    """pgbench's arguments for a ledger, and the file with its password."""
    parts = urlsplit(dsn)
    arguments = ["-h", parts.hostname or "", "-p", str(parts.port), "-U", parts.username or "", parts.path.lstrip("/")]
    return arguments, parse_qs(parts.query)["passfile"][0]
