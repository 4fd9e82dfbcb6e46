"""What each component is told at start: from the environment, parsed once, all faults at once, never changed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

Told = TypeVar("Told", bound=BaseSettings)


LARGEST = 2**53 - 1
"""The largest integer that every store and reader keeps exact."""
Bound = Annotated[int, Field(gt=0, le=LARGEST)]


class RiskSettings(BaseModel):
    """Limits for each account. The defaults let every shipped campaign pass and stop what must be a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    portfolio: Literal["memory", "redis", "postgres"] = Field(
        default="memory",
        description="where positions and open exposure are kept; each module of risk says what it promises",
    )
    quantity_lots_max: Bound = 1_000_000
    notional_max: Bound = Field(default=10**12, description="ticks × lots of one order")
    collar_bps: Bound = Field(default=5_000, description="furthest from the last trade, in hundredths of a percent")
    position_lots_max: Bound = Field(default=10**9, description="of a symbol, with all open orders of a side filled")
    exposure_per_s_max: Bound = Field(default=10**13, description="ticks × lots of an account's orders in one second")
    follow_ms: PositiveInt = Field(default=50, description="between two looks at what the engine has done")


class GatewaySettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True, extra="forbid")

    name: str = Field(description="the instance label of metrics and logs")
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    ledger_dsns: tuple[str, ...] = Field(min_length=1, description="one a shard; secrets by passfile=")
    ledger_pool_size: PositiveInt = Field(default=16, description="connections a shard")
    ledger_pool_file: Path | None = Field(
        default=None, description="how many of these may work at once: a number, read at the start and at each SIGHUP"
    )
    ledger_write_path: Literal["per_order", "group"] = Field(
        default="per_order", description="one commit an order, or many orders a commit"
    )
    redis_url: str
    redis_password_file: Path | None = None
    engine_target: str = Field(description="host:port")
    symbols: tuple[str, ...] = Field(min_length=1, description="in the engine's order")
    price_ticks_min: int = 1
    price_ticks_max: int = 1_000_000
    risk: RiskSettings = RiskSettings()
    in_flight_max: PositiveInt = 1024
    body_bytes_max: PositiveInt = 4096
    gather_ms: float = Field(
        default=2.0, ge=0, description="least time between two messages to the engine, and between two to Redis"
    )
    engine_deadline_ms: PositiveInt = 1_000
    ledger_deadline_ms: PositiveInt = 2_000
    redis_deadline_ms: PositiveInt = 100
    read_deadline_ms: PositiveInt = 1_000
    drain_ms: int = Field(default=600, ge=0, description="from SIGTERM on: /readyz says 503 before the listener closes")
    stop_deadline_ms: PositiveInt = 5_000
    otlp_endpoint: str | None = Field(default=None, description="http://host:port of a collector; none: no spans")
    trace_ratio: float = Field(default=0.01, ge=0, le=1, description="of the orders that bring no traceparent")
    signals: Literal["all", "metrics", "traces", "logs", "none"] = Field(
        default="all", description="all, or what alone is on: for measuring what telemetry costs"
    )
    trace_slow_ms: float = Field(default=100.0, ge=0, description="an order that took longer is traced in any case")

    crash_at: str | None = Field(
        default=None, pattern=r"^(validated|sent|committed|projected|answered):[1-9]\d*$",
        description="for tests: a point of the path and at which passing of it to die, as committed:50",
    )  # fmt: skip

    @model_validator(mode="after")
    def check_range(self) -> GatewaySettings:
        if self.price_ticks_min > self.price_ticks_max:
            raise ValueError(f"price_ticks_min {self.price_ticks_min} is above price_ticks_max {self.price_ticks_max}")
        return self


class SettlerSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SETTLER_", frozen=True, extra="forbid")

    name: str = "settler"
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535, description="/metrics and /healthz")
    ledger_dsns: tuple[str, ...] = Field(min_length=1)
    redis_url: str
    redis_password_file: Path | None = None
    engine_target: str
    symbols: tuple[str, ...] = Field(min_length=1, description="in the engine's order")
    grace_ms: PositiveInt = Field(
        default=1_000, description="how long a gateway may take to insert what the engine gave it"
    )
    round_ms: PositiveInt = Field(default=100, description="between two looks at the books")
    compare_ms: PositiveInt = Field(default=500, description="between two comparisons of engine, ledger and Redis")
    batch: PositiveInt = Field(default=2_000, le=4_096, description="commands a step")
    book_depth: PositiveInt = 10
    call_deadline_ms: PositiveInt = 2_000


class MarketDataSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="MARKET_DATA_", frozen=True, extra="forbid")

    name: str = Field(description="the instance label of metrics and logs")
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    ledger_dsns: tuple[str, ...] = Field(min_length=1, description="the first holds the API keys")
    engine_target: str = Field(description="host:port")
    symbols: tuple[str, ...] = Field(min_length=1, description="in the engine's order")
    redis_url: str
    redis_password_file: Path | None = None
    publishes_trades: bool = Field(default=True, description="to the history's stream; one instance is enough")
    stream_entries_max: PositiveInt = Field(default=20_000, description="of up to 64 trades, about 6 kB each")
    clients_max: PositiveInt = 1_000
    client_bytes_max: PositiveInt = Field(
        default=1_048_576, description="that may wait for a client, a snapshot of all its symbols apart"
    )
    heartbeat_ms: PositiveInt = 1_000
    silence_ms: PositiveInt = Field(default=3_000, description="after which the engine's stream is taken for dead")
    read_deadline_ms: PositiveInt = 1_000
    drain_ms: int = Field(default=300, ge=0, description="from SIGTERM on: /readyz says 503 before the listener closes")


class HistorySettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="HISTORY_", frozen=True, extra="forbid")

    name: str = "history"
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535, description="/metrics and /healthz")
    ledger_dsns: tuple[str, ...] = Field(min_length=1, description="one a shard; the history's schema is on the first")
    redis_url: str
    redis_password_file: Path | None = None
    entries: PositiveInt = Field(default=100, le=1_000, description="of the stream, a transaction")
    reclaim_ms: PositiveInt = Field(
        default=1_000, description="after which entries that a consumer took and did not acknowledge are another's"
    )
    audit_ms: PositiveInt = Field(default=1_000, description="between two looks for trades that only the ledger has")
    batch: PositiveInt = Field(default=2_000, description="trades that an audit takes from the ledger at once")
    call_deadline_ms: PositiveInt = 2_000


class WaitSamplerSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="WAIT_SAMPLER_", frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535, description="/metrics")
    dsn: str = Field(description="of a role in pg_monitor; the password by passfile=")
    ticks_per_s: PositiveInt = Field(default=20, le=100)
    statement_timeout_ms: PositiveInt = 1_000


def read_settings(kind: type[Told]) -> Told:
    """The settings of this process; says every fault on standard error and exits 2 if there is one."""
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        for fault in error.errors():
            name = "_".join(str(part) for part in fault["loc"][:1]).upper()
            print(f"{prefix}{name}: {fault['msg']} (got {fault['input']!r})", file=sys.stderr)
    except SettingsError as error:
        print(f"{error}; lists are JSON", file=sys.stderr)
    raise SystemExit(2)


def password_of(file: Path | None) -> str | None:
    return file.read_text().strip() if file else None
