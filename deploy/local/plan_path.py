"""The order path of a site as specifications: HAProxy, gateways, engine, ledger, Redis, settler, market data. Pure."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from deploy.local import clock, disk
from deploy.local.cpu_groups import Limit
from deploy.local.site import POSTGRES_PROGRAMS, Site
from deploy.local.spec import Alive, Layer, PartSpec, Ready
from deploy.render import render
from deploy.topology import Bounded, PathComponent, Restarts, without_number

HOST = "127.0.0.1"
RECOVERY_DEADLINE_S = 120.0  # after a crash with much to replay
POSTGRES_SSL_REQUEST = bytes((0, 0, 0, 8, 4, 210, 22, 47))  # answered without a login, also when all places are taken


def order_path(site: Site) -> list[PartSpec]:
    gateways = [gateway(site, number) for number in range(1, site.topology.gateways.replicas + 1)]
    return [
        *(ledger(site, shard) for shard in site.shards),
        redis(site),
        engine(site),
        *gateways,
        settler(site),
        *(market_data(site, number) for number in range(1, site.topology.market_data.replicas + 1)),
        *([history(site)] if site.topology.history.replicas else []),
        haproxy(site),
        *([toxiproxy(site)] if site.topology.links else []),
    ]


def limit(bounded: Bounded) -> Limit:
    return Limit(bounded.cpu_cores, bounded.cpuset)


def ledger(site: Site, shard: int) -> PartSpec:
    wanted = site.topology.ledger
    name = f"ledger-{shard}"
    port, data = site.ports[name], site.layout.data / name
    control = _disk_control(site, name) if wanted.disk_faults else None
    config = render(
        "servers/postgresql.conf",
        host=HOST,
        port=port,
        connections_max=wanted.connections_max,
        shared_buffers_mb=wanted.shared_buffers_mb,
        settings=wanted.settings,
    )
    ask = (str(POSTGRES_PROGRAMS / "pg_isready"), "-q", "-t", "1", "-h", HOST, "-p", str(port))
    return PartSpec(
        name=name,
        component="ledger",
        layer=Layer.KEPT,
        command=(str(POSTGRES_PROGRAMS / "postgres"), "-D", str(data)),
        ready=Ready(port, command=ask, deadline_s=RECOVERY_DEADLINE_S),
        alive=Alive(port, POSTGRES_SSL_REQUEST),
        restarts=wanted.restarts,
        limit=limit(wanted),
        environment=(disk.environment(control, data) if control else {}) | wanted.environment,
        files={data / "postgresql.conf": config},
        disk_control=control,
        unprivileged=True,
        stop_signal=signal.SIGINT,  # disconnects its clients; SIGTERM would wait for them
        death_signal=signal.SIGQUIT,  # it then takes its own children and shared memory along
    )


def redis(site: Site) -> PartSpec:
    wanted, port = site.topology.redis, site.ports["redis"]
    path = site.layout.config / "redis.conf"
    config = render(
        "servers/redis.conf",
        host=HOST,
        port=port,
        password=site.secrets.redis_password_file.read_text(),
        directory=site.layout.data,
        memory_max_mb=wanted.memory_max_mb,
    )
    return PartSpec(
        name="redis",
        component="redis",
        layer=Layer.PATH,
        command=("/usr/bin/redis-server", str(path)),
        ready=Ready(port),
        alive=Alive(port, b"PING\r\n"),
        restarts=wanted.restarts,
        limit=limit(wanted),
        environment=wanted.environment,
        files={path: config},
    )


def engine(site: Site) -> PartSpec:
    topology, port, metrics = site.topology, site.ports["engine"], site.ports["engine-metrics"]
    control = _disk_control(site, "engine") if topology.engine.disk_faults else None
    return PartSpec(
        name="engine",
        component="engine",
        layer=Layer.PATH,
        command=(
            str(site.programs.engine),
            *("--listen", f"{HOST}:{port}"),
            *("--metrics", f"{HOST}:{metrics}"),
            *("--journal", str(site.journal)),
            *("--symbols", ",".join(topology.symbols)),
            *("--price-min", str(topology.price_ticks_min)),
            *("--price-max", str(topology.price_ticks_max)),
        ),
        ready=Ready(port, deadline_s=RECOVERY_DEADLINE_S),
        alive=Alive.by_http(metrics, "/alive"),
        restarts=topology.engine.restarts,
        limit=limit(topology.engine),
        environment=(disk.environment(control, site.journal) if control else {}) | topology.engine.environment,
        disk_control=control,
    )


def gateway(site: Site, number: int) -> PartSpec:
    wanted = site.topology.gateways
    signals = wanted.signals.split("+")
    name = f"gateway-{number}"
    pool_file = site.layout.config / f"{name}.pool"
    environment = {
        "GATEWAY_NAME": name,
        "GATEWAY_LEDGER_POOL_SIZE": str(wanted.ledger_pool_size),
        "GATEWAY_LEDGER_POOL_FILE": str(pool_file),
        "GATEWAY_LEDGER_WRITE_PATH": site.topology.ledger.write_path,
        "GATEWAY_IN_FLIGHT_MAX": str(wanted.in_flight_max),
        "GATEWAY_RISK": site.topology.risk.model_dump_json(),
        "GATEWAY_PRICE_TICKS_MIN": str(site.topology.price_ticks_min),
        "GATEWAY_PRICE_TICKS_MAX": str(site.topology.price_ticks_max),
        "GATEWAY_TRACE_RATIO": str(wanted.trace_ratio),
        "GATEWAY_SIGNALS": signals[(number - 1) % len(signals)],
        "GATEWAY_TRACE_SLOW_MS": str(wanted.trace_slow_ms),
    }
    if site.has("collector"):
        environment["GATEWAY_OTLP_ENDPOINT"] = f"http://{HOST}:{site.ports['collector']}"
    control = clock.control_of(site.layout, name)
    if wanted.clock_faults:
        environment |= clock.environment(control)
    return replace(
        _ours(site, name, "target_system.gateway", "/readyz", wanted, environment),
        files={pool_file: str(wanted.ledger_pool_size)} | ({control: clock.RIGHT} if wanted.clock_faults else {}),
        pool_file=pool_file,
    )


def settler(site: Site) -> PartSpec:
    wanted = site.topology.settler
    return _ours(
        site, "settler", "target_system.ledger.settler", "/healthz", wanted, {"SETTLER_GRACE_MS": str(wanted.grace_ms)}
    )


def market_data(site: Site, number: int) -> PartSpec:
    wanted = site.topology.market_data
    name = f"market-data-{number}"
    environment = {
        "MARKET_DATA_NAME": name,
        "MARKET_DATA_PUBLISHES_TRADES": str(number == 1),
        "MARKET_DATA_CLIENT_BYTES_MAX": str(wanted.client_bytes_max),
    }
    return _ours(site, name, "target_system.market_data", "/readyz", wanted, environment)


def history(site: Site) -> PartSpec:
    return _ours(site, "history", "target_system.history", "/healthz", site.topology.history, {})


def haproxy(site: Site) -> PartSpec:
    wanted = site.topology.haproxy
    path = site.layout.config / "haproxy.cfg"
    names = [f"gateway-{number}" for number in range(1, site.topology.gateways.replicas + 1)]
    streams = [f"market-data-{number}" for number in range(1, site.topology.market_data.replicas + 1)]
    config = render(
        "servers/haproxy.cfg",
        control=site.layout.front.name,
        host=HOST,
        port=site.ports["haproxy"],
        metrics_port=site.ports["haproxy-metrics"],
        connections_max=wanted.connections_max,
        queue_max=wanted.queue_max,
        queue_timeout_ms=wanted.queue_timeout_ms,
        in_flight_max=site.topology.gateways.in_flight_max,
        **site.topology.limits.model_dump(),
        gateways=[(name, f"{HOST}:{site.way('haproxy', name)}") for name in names],
        streams=[(name, f"{HOST}:{site.ports[name]}") for name in streams],
    )
    return PartSpec(
        name="haproxy",
        component="haproxy",
        layer=Layer.PATH,
        command=("/usr/sbin/haproxy", "-C", str(site.layout.front.parent), "-db", "-f", str(path)),
        ready=Ready(site.ports["haproxy"]),
        alive=Alive.by_http(site.ports["haproxy-metrics"], "/alive"),
        restarts=wanted.restarts,
        limit=limit(wanted),
        environment=wanted.environment,
        files={path: config},
    )


def toxiproxy(site: Site) -> PartSpec:
    """Stands between parts whose link the topology names; as long as no fault is put there it passes all on."""
    port, path = site.ports["toxiproxy"], site.layout.config / "toxiproxy.json"
    proxies = [
        {"name": name, "listen": f"{HOST}:{site.ports[name]}", "upstream": f"{HOST}:{site.ports[end]}", "enabled": True}
        for name, end in site.topology.proxies().items()
    ]
    return PartSpec(
        name="toxiproxy",
        component="toxiproxy",
        layer=Layer.PATH,
        command=(str(site.programs.toxiproxy), "-host", HOST, "-port", str(port), "-config", str(path)),
        ready=Ready(port, "/version"),
        alive=Alive.by_http(port, "/version"),
        restarts=Restarts(),
        files={path: json.dumps(proxies)},
        environment={"LOG_LEVEL": "warn"},
    )


def _disk_control(site: Site, name: str) -> Path:
    return site.layout.data / f"disk-{name}"


def _ours(
    site: Site, name: str, module: str, ready: str, wanted: PathComponent, environment: Mapping[str, str]
) -> PartSpec:
    """A component that runs from this checkout, told where the others are; instance n of them is called component-n."""
    port, component = site.ports[name], without_number(name)
    prefix = component.replace("-", "_").upper()
    return PartSpec(
        name=name,
        component=component,
        layer=Layer.PATH,
        command=(sys.executable, "-m", module),
        ready=Ready(port, ready),
        alive=Alive.by_http(port, "/healthz"),
        restarts=wanted.restarts,
        limit=limit(wanted),
        environment={**_pipeline(prefix, site), f"{prefix}_PORT": str(port), **environment, **wanted.environment},
    )


def _pipeline(prefix: str, site: Site) -> dict[str, str]:
    """Where the other components are, for one that runs from this checkout."""
    origin = prefix.lower()
    shards = [site.secrets.dsn(site.way(origin, f"ledger-{shard}")) for shard in site.shards]
    return {
        f"{prefix}_LEDGER_DSNS": json.dumps(shards),
        f"{prefix}_REDIS_URL": f"redis://{HOST}:{site.way(origin, 'redis')}/0",
        f"{prefix}_REDIS_PASSWORD_FILE": str(site.secrets.redis_password_file),
        f"{prefix}_ENGINE_TARGET": f"{HOST}:{site.way(origin, 'engine')}",
        f"{prefix}_SYMBOLS": json.dumps(site.topology.symbols),
        "PYTHONUNBUFFERED": "1",
    }
