"""What runs: components, replicas, shards, CPU quotas, restarts. A topology is a value; `Cluster` makes it live.

`Topology.load("deploy/topologies/local.yaml")` reads one; every key has a default, so an empty file is a small cluster
without quotas. `with_overrides({"gateways": 4, "ledger.cpu_cores": 0.5})` is how a sweep varies it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from deploy.documents import DocumentError, Fault, fault_text, field_faults, load
from target_system.ledger.cut import shards_of
from target_system.settings import RiskSettings

PORT_MIN, PORT_MAX = 1024, 65535
LEDGER_SETTINGS_OF_THE_LAB = frozenset(
    {"port", "listen_addresses", "unix_socket_directories", "data_directory", "hba_file", "fsync", "synchronous_commit"}
)

Cores = Annotated[float, Field(ge=0.1, le=1024, description="CPU quota in cores; left out: no quota")]
Symbol = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9.]{0,7}$")]
Port = Annotated[int, Field(ge=PORT_MIN, le=PORT_MAX)]
Link = Literal["gateway-ledger", "gateway-redis", "gateway-engine", "haproxy-gateway", "market_data-engine"]


class TopologyError(DocumentError):
    """What is wrong with a topology, all of it."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Restarts(Section):
    """A part that dies is started again after a growing pause; `restarts_max` within `within_s` and it is given up.

    One that lives and is silent for `hung_after_s` is called hung; with `hung_restart` it is killed, so restarted.
    """

    restarts_max: Annotated[int, Field(ge=0)] = 5
    within_s: PositiveFloat = 60.0
    backoff_first_s: NonNegativeFloat = 0.2
    backoff_max_s: PositiveFloat = 5.0
    hung_after_s: PositiveFloat = 5.0
    hung_restart: bool = False


class Bounded(Section):
    cpu_cores: Cores | None = None
    cpuset: str | None = Field(default=None, description="cores it may run on, as 0-1,3")

    @field_validator("cpuset")
    @classmethod
    def _is_a_list_of_cores(cls, cpuset: str | None) -> str | None:
        if cpuset is not None:
            cores_of(cpuset)
        return cpuset


class Component(Bounded):
    restarts: Restarts = Restarts()


class PathComponent(Component):
    environment: dict[str, str] = Field(
        default={}, description="more variables for its processes, as a preloaded library or a crash point"
    )


class Limits(Section):
    """How many orders and cancels are admitted in a second, however many gateways there are; null: no limit."""

    per_key_per_s: PositiveInt | None = 100
    total_per_s: PositiveInt | None = 500


SIGNALS = "all|metrics|traces|logs|none"


class Gateways(PathComponent):
    """`cpu_cores` is for each of them. `gateways: 4` is short for `gateways: {replicas: 4}`.

    `in_flight_max`: the requests that each works on at once; what is beyond waits in HAProxy's queue.
    `signals`: what they tell of themselves; `all+none` is for the first and the second, and so on in turn.
    `clock_faults`: whether their clocks can be set wrong, by a preloaded library.
    """

    replicas: Annotated[int, Field(ge=1, le=32)] = 1
    ledger_pool_size: PositiveInt = 16
    in_flight_max: PositiveInt = 64
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = 0.01
    trace_slow_ms: NonNegativeFloat = 100.0
    signals: Annotated[str, Field(pattern=rf"^({SIGNALS})(\+({SIGNALS}))*$")] = "all"
    clock_faults: bool = False

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        return {"replicas": given} if isinstance(given, int) else given


class Ledger(PathComponent):
    """Postgres, one server a shard; `cpu_cores` is for each. `settings` are Postgres's own.

    `write_path`: a commit for each order, or one for as many as wait (each still acknowledged after its own commit).
    `disk_faults`: it runs with a library preloaded by which its disk can be made slow or full (deploy/faults).
    """

    write_path: Literal["per_order", "group"] = "per_order"
    shards: Annotated[int, Field(ge=1, le=8)] = 1
    shared_buffers_mb: Annotated[int, Field(ge=16)] = 256
    connections_max: Annotated[int, Field(ge=20)] = 200
    settings: dict[str, str | int | float | bool] = {}
    disk_faults: bool = False

    @field_validator("settings")
    @classmethod
    def _leaves_the_labs_alone(cls, settings: dict[str, Any]) -> dict[str, Any]:
        for name in settings:
            if name in LEDGER_SETTINGS_OF_THE_LAB or not re.fullmatch(r"[a-z_.]+", name):
                raise ValueError(f"sets {name}, which the lab decides; remove it")
        return settings


class Engine(PathComponent):
    disk_faults: bool = False


class Redis(PathComponent):
    memory_max_mb: PositiveInt = 256


class Haproxy(PathComponent):
    """`queue_max` requests wait for a gateway at most, each no longer than the timeout; then they are shed."""

    connections_max: PositiveInt = 4096
    queue_max: PositiveInt = 128
    queue_timeout_ms: PositiveInt = 100


class Settler(PathComponent):
    grace_ms: PositiveInt = 1_000


class MarketData(PathComponent):
    """Books and trades over WebSocket, `/v1/stream`; `cpu_cores` is for each. None by default."""

    replicas: Annotated[int, Field(ge=0, le=8)] = 0
    client_bytes_max: PositiveInt = 1_048_576


class History(PathComponent):
    """Trades and candles, written beside the order path; quick with market data, complete without. Off by default."""

    replicas: Annotated[int, Field(ge=0, le=1)] = 0


class Generator(Bounded):
    """The load generator is no part of the cluster, but its CPU is bounded and accounted with the rest."""


class Observability(Component):
    """Which servers run beside the path. All share one CPU group; `cpu_cores` bounds them together."""

    scrape_interval_s: Annotated[float, Field(ge=0.1, le=60)] = 1.0
    gateway_scrape_interval_s: Annotated[float, Field(ge=0.1, le=60)] = 0.25
    prometheus: bool = True
    alertmanager: bool = True
    loki: bool = True
    collector: bool = True
    node_exporter: bool = True
    postgres_exporter: bool = True
    wait_sampler: bool = True
    redis_exporter: bool = True
    process_exporter: bool = True
    sns: bool = Field(default=False, description="the SNS front, SQS, and the subscribers of alerts")
    sns_time_scale: PositiveFloat = Field(
        default=10.0, description="pauses between retries and periods of CloudWatch alarms are divided by it"
    )
    burn_window_s: PositiveFloat | None = Field(
        default=None,
        description="the long window of every burn-rate alert, its short one in proportion: 60 for drills; null: as the"
        " rules say, an hour to three days",
    )
    boards: bool = Field(default=True, description="a Grafana found on this machine, else the lab's own rendering")


class Topology(Section):
    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1)] = (
        "AAPL", "CSCO", "GOOG", "HPQ", "IBM", "MSFT", "PFE", "TSLA", "XOM",
    )  # fmt: skip
    price_ticks_min: PositiveInt = 1
    price_ticks_max: PositiveInt = 200_000
    accounts: Annotated[int, Field(ge=1, le=10_000)] = 64
    limits: Limits = Limits()
    gateways: Gateways = Gateways()
    ledger: Ledger = Ledger()
    engine: Engine = Engine()
    redis: Redis = Redis()
    haproxy: Haproxy = Haproxy()
    settler: Settler = Settler()
    market_data: MarketData = MarketData()
    history: History = History()
    risk: RiskSettings = RiskSettings()
    generator: Generator = Generator()
    observability: Observability = Observability()
    links: tuple[Link, ...] = Field(default=(), description="which connections go through Toxiproxy, for faults")
    ports: dict[str, Port] = Field(default={}, description="listener → fixed port; the rest are chosen at start")

    @classmethod
    def load(cls, path: Path | str, cores: int | None = None) -> Topology:
        """Read a topology for a machine with that many cores (this one's). Raises TopologyError with every fault."""
        have = cores if cores is not None else len(os.sched_getaffinity(0))
        try:
            return load(cls, Path(path), lambda topology: topology.faults(have))
        except DocumentError as error:
            raise TopologyError(error.faults) from error

    def with_overrides(self, overrides: Mapping[str, Any]) -> Topology:
        """The same topology with some values changed, by dotted name. Raises TopologyError with every fault."""
        data = self.model_dump()
        faults: list[Fault] = []
        for name, value in overrides.items():
            path = tuple(name.split("."))
            if path == ("gateways",) and isinstance(value, int):
                path = ("gateways", "replicas")
            *parents, last = path
            place: Any = data
            for parent in parents:
                place = place.get(parent) if isinstance(place, dict) else None
            if isinstance(place, dict) and (last in place or parents in (["ports"], ["ledger", "settings"])):
                place[last] = value
            else:
                faults.append(Fault(path, "is not known; use a dotted name as in gateways.replicas"))
        try:
            changed = type(self).model_validate(data)
        except ValidationError as error:
            faults += field_faults(type(self), error)
            changed = self
        faults += changed._crossed()
        if faults:
            raise TopologyError(f"overrides: {fault_text(fault)}" for fault in faults)
        return changed

    def path_alone(self) -> Topology:
        """The same order path, and no server beside it."""
        servers = [name for name, field in Observability.model_fields.items() if field.annotation is bool]
        return self.with_overrides({f"observability.{server}": False for server in servers})

    def listeners(self) -> list[str]:
        """The name of everything that listens on a port of its own."""
        gateways = [f"gateway-{n}" for n in range(1, self.gateways.replicas + 1)]
        ledgers = [f"ledger-{n}" for n in range(1, self.ledger.shards + 1)]
        path = ["haproxy", "haproxy-metrics", *gateways, "engine", "engine-metrics", *ledgers, "redis", "settler"]
        path += [f"market-data-{n}" for n in range(1, self.market_data.replicas + 1)]
        path += ["history"] * self.history.replicas
        path += ["toxiproxy", *self.proxies()] if self.links else []
        on = self.observability
        beside = ["supervisor"]
        beside += ["prometheus"] * on.prometheus + ["alertmanager"] * on.alertmanager
        beside += ["sqs", "sns", "subscribers"] * on.sns
        beside += ["loki", "loki-grpc"] * on.loki
        beside += ["collector", "collector-grpc", "collector-metrics", "collector-health"] * on.collector
        beside += ["node-exporter"] * on.node_exporter + ["process-exporter"] * on.process_exporter
        beside += ["redis-exporter"] * on.redis_exporter
        beside += [f"postgres-exporter-{n}" for n in range(1, self.ledger.shards + 1)] * on.postgres_exporter
        beside += [f"wait-sampler-{n}" for n in range(1, self.ledger.shards + 1)] * on.wait_sampler
        beside += ["boards"] * (on.boards and on.prometheus)
        return path + beside

    def proxies(self) -> dict[str, str]:
        """Listener of each of Toxiproxy's proxies → the listener that it passes on to."""
        ends = {
            "gateway-ledger": [f"ledger-{n}" for n in range(1, self.ledger.shards + 1)],
            "gateway-redis": ["redis"],
            "gateway-engine": ["engine"],
            "market_data-engine": ["engine"],
            "haproxy-gateway": [f"gateway-{n}" for n in range(1, self.gateways.replicas + 1)],
        }
        return {f"{link.partition('-')[0]}-{end}": end for link in self.links for end in ends[link]}

    def shard_shares(self, weights: Sequence[float], unnamed: float) -> list[float]:
        """Of the commands, for each shard of the ledger: those that name a symbol by the weights of the symbols, and
        the share `unnamed` of them evenly, as their order ids are."""
        count, cut = self.ledger.shards, shards_of(self.symbols, self.ledger.shards)
        named = [0.0] * count
        for symbol, weight in zip(self.symbols, weights, strict=True):
            named[cut[symbol]] += weight / sum(weights)
        return [(1 - unnamed) * share + unnamed / count for share in named]

    def quotas(self) -> dict[str, float]:
        """Cores promised in all to each component that has a quota."""
        each = {
            "gateways": (self.gateways.replicas, self.gateways.cpu_cores),
            "ledger": (self.ledger.shards, self.ledger.cpu_cores),
            "engine": (1, self.engine.cpu_cores),
            "redis": (1, self.redis.cpu_cores),
            "haproxy": (1, self.haproxy.cpu_cores),
            "settler": (1, self.settler.cpu_cores),
            "market_data": (self.market_data.replicas, self.market_data.cpu_cores),
            "history": (self.history.replicas, self.history.cpu_cores),
            "generator": (1, self.generator.cpu_cores),
            "observability": (1, self.observability.cpu_cores),
        }
        return {name: count * cores for name, (count, cores) in each.items() if cores is not None and count}

    def faults(self, cores: int) -> list[Fault]:
        """What is wrong across fields, and on a machine with that many cores."""
        return [*self._crossed(), *self._too_much_for(cores)]

    def _crossed(self) -> Iterator[Fault]:
        known = self.listeners()
        holders: dict[int, str] = {}
        for name, port in self.ports.items():
            if name not in known:
                yield Fault(("ports", name), f"is no listener of this topology; use one of {', '.join(known)}")
            if port in holders:
                yield Fault(
                    ("ports", name),
                    f"is {port}, which ports.{holders[port]} has already; give each a port of its own",
                )
            holders.setdefault(port, name)
        if self.price_ticks_min > self.price_ticks_max:
            yield Fault(
                ("price_ticks_min",),
                f"is {self.price_ticks_min}, above price_ticks_max {self.price_ticks_max}; lower it",
            )
        for symbol in sorted({symbol for symbol in self.symbols if self.symbols.count(symbol) > 1}):
            yield Fault(("symbols",), f"names {symbol} twice; keep one")
        used = self.gateways.replicas * self.gateways.ledger_pool_size
        if used > self.ledger.connections_max - 10:
            yield Fault(
                ("gateways", "ledger_pool_size"),
                f"is {self.gateways.ledger_pool_size}, in all {used} connections to a ledger that takes"
                f" {self.ledger.connections_max} with 10 kept for the lab; lower it, or raise ledger.connections_max",
            )

    def _too_much_for(self, cores: int) -> Iterator[Fault]:
        quotas = self.quotas()
        total = sum(quotas.values())
        if total > cores + 1e-9:
            sums = " + ".join(f"{name} {share:g}" for name, share in quotas.items())
            largest = max(quotas, key=lambda name: quotas[name])
            yield Fault(
                (largest, "cpu_cores"),
                f"quotas add up to {total:g} cores ({sums}), this machine has {cores}; lower some",
            )
        for name in type(self).model_fields:
            cpuset = getattr(getattr(self, name), "cpuset", None)
            if cpuset and max(cores_of(cpuset)) >= cores:
                yield Fault((name, "cpuset"), f"is {cpuset}, this machine has cores 0 to {cores - 1}; use those")


def without_number(name: str) -> str:
    """The component of a part, or the link of a proxy: gateway-2 is one of gateway."""
    return name.rstrip("-0123456789")


def cores_of(cpuset: str) -> frozenset[int]:
    """`0-1,3` as {0, 1, 3}; ValueError where it is none."""
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", cpuset):
        raise ValueError(f"is {cpuset!r}; write cores as 0-1,3")
    cores: set[int] = set()
    for span in cpuset.split(","):
        first, _, last = span.partition("-")
        cores.update(range(int(first), int(last or first) + 1))
    if not cores:
        raise ValueError(f"is {cpuset!r}; write a span from low to high")
    return frozenset(cores)
