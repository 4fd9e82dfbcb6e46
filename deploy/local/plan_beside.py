"""What runs beside the order path of a site, as specifications: exporters and the servers of telemetry. Pure.

All of it shares one CPU group, `observability`: what watching costs is accounted, and may be bounded, as a whole.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from deploy.local.plan_path import HOST
from deploy.local.rules import rule_files, scaled
from deploy.local.site import EXPORTER, Site
from deploy.local.spec import Alive, Layer, PartSpec, Ready
from deploy.render import render
from deploy.topology import without_number

GROUP = "observability"
GO_COLLECTS_SELDOM = {"GOGC": "400", "GOMEMLIMIT": "512MiB"}
"""For the servers written in Go: memory, within a bound, in exchange for CPU that the order path can use."""
AWS_ACCOUNT, AWS_REGION = "123456789012", "us-east-1"
ROUTING_KEY = "0" * 32  # of the stand-in for PagerDuty
OBSERVABILITY = Path(__file__).parents[1] / "observability"
NODE_COLLECTORS = (
    "cpu", "diskstats", "filefd", "filesystem", "loadavg", "meminfo", "netstat", "pressure", "sockstat", "stat",
    "vmstat",
)  # fmt: skip
PROMETHEUS_RETENTION = ("--storage.tsdb.retention.time=12h", "--storage.tsdb.retention.size=2GB")


def beside_path(site: Site) -> list[PartSpec]:
    """Only what the topology wants and this machine has."""
    makers = {
        "prometheus": prometheus,
        "alertmanager": alertmanager,
        "loki": loki,
        "collector": collector,
        "node_exporter": node_exporter,
        "process_exporter": process_exporter,
        "redis_exporter": redis_exporter,
    }
    specs = [make(site) for server, make in makers.items() if site.has(server)]
    if site.has("sns"):
        specs += sns_parts(site)
    if site.has("postgres_exporter"):
        specs += [postgres_exporter(site, shard) for shard in site.shards]
    if site.has("boards") and site.has("prometheus"):
        specs.append(grafana(site, site.programs.grafana) if site.programs.grafana else boards(site))
    if site.has("wait_sampler"):
        specs += [wait_sampler(site, shard) for shard in site.shards]
    return specs


def lacking(site: Site) -> list[str]:
    """Servers that the topology wants and this machine does not have, as sentences."""
    without = {"loki": "no log queries", "collector": "no spans, and no logs in Loki"}
    return [
        f"{server} is not built, the cluster runs without it ({loss}); make setup builds it"
        for server, loss in without.items()
        if getattr(site.topology.observability, server) and not site.has(server)
    ]


def targets_file(site: Site) -> Path:
    return site.layout.config / "targets.json"


def targets(site: Site) -> list[dict[str, Any]]:
    """What Prometheus scrapes: listener → (component, instance). Not Loki: 3,000 series a second that nothing reads."""
    named = {f"gateway-{n}": ("gateway", f"gateway-{n}") for n in range(1, site.topology.gateways.replicas + 1)}
    named |= {
        "engine-metrics": ("engine", "engine"),
        "haproxy-metrics": ("haproxy", "haproxy"),
        "settler": ("settler", "settler"),
        "supervisor": ("supervisor", "supervisor"),
    }
    market_data = [f"market-data-{n}" for n in range(1, site.topology.market_data.replicas + 1)]
    named |= {name: ("market-data", name) for name in market_data}
    named |= {"history": ("history", "history")} if site.topology.history.replicas else {}
    beside = {
        "node_exporter": ("node-exporter", "host", "host"),
        "process_exporter": ("process-exporter", "host", "processes"),
        "redis_exporter": ("redis-exporter", "redis", "redis"),
        "prometheus": ("prometheus", "prometheus", "prometheus"),
        "alertmanager": ("alertmanager", "alertmanager", "alertmanager"),
        "collector": ("collector-metrics", "collector", "collector"),
    }
    for server, (listener, component, instance) in beside.items():
        if site.has(server):
            named[listener] = (component, instance)
    if site.has("sns"):
        named |= {name: (name, name) for name in ("sns", "subscribers")}
    if site.has("postgres_exporter"):
        named |= {f"postgres-exporter-{shard}": ("ledger", f"ledger-{shard}") for shard in site.shards}
    if site.has("wait_sampler"):
        named |= {f"wait-sampler-{shard}": ("ledger", f"ledger-{shard}") for shard in site.shards}
    return [
        {"targets": [f"{HOST}:{site.ports[listener]}"], "labels": {"component": component, "instance": instance}}
        for listener, (component, instance) in named.items()
    ]


def prometheus(site: Site) -> PartSpec:
    path, port = site.layout.config / "prometheus.yml", site.ports["prometheus"]
    config = render(
        "observability/prometheus.yml",
        scrape_interval=_milliseconds(site.topology.observability.scrape_interval_s),
        gateway_scrape_interval=_milliseconds(site.topology.observability.gateway_scrape_interval_s),
        rules=site.layout.config / "rule_*.yml",
        alertmanager=f"{HOST}:{site.ports['alertmanager']}" if site.has("alertmanager") else "",
        targets=targets_file(site),
        name=site.layout.name,
    )
    command = (
        "/usr/bin/prometheus",
        f"--config.file={path}",
        f"--storage.tsdb.path={site.layout.data / 'prometheus'}",
        *PROMETHEUS_RETENTION,
        f"--web.listen-address={HOST}:{port}",
        "--enable-feature=exemplar-storage",
        "--scrape.discovery-reload-interval=1s",  # a new gateway is scraped soon after a renewal, not 5 s later
        "--rules.alert.resend-delay=5s",
        "--log.format=json",
        "--log.level=warn",
    )
    long_s = site.topology.observability.burn_window_s
    docs = f"http://{HOST}:{site.ports['subscribers']}/" if site.has("sns") else ""
    rules = {site.layout.config / f"rule_{rule.name}": scaled(rule.read_text(), long_s, docs) for rule in rule_files()}
    return _beside(site, "prometheus", command, Ready(port, "/-/ready"), files={path: config, **rules})


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def alertmanager(site: Site) -> PartSpec:
    path, port = site.layout.config / "alertmanager.yml", site.ports["alertmanager"]
    command = (
        "/usr/bin/prometheus-alertmanager",
        f"--config.file={path}",
        f"--storage.path={site.layout.data / 'alertmanager'}",
        f"--web.listen-address={HOST}:{port}",
        "--cluster.listen-address=",
        "--data.maintenance-interval=5s",  # it forgets whom it told when it is killed; 15 minutes of that by default
        "--log.format=json",
        "--log.level=warn",
    )
    access_key, secret_key = next(iter(json.loads(site.secrets.aws_credentials.read_text()).items()))
    config = render(
        "observability/alertmanager.yml",
        sns_url=f"http://{HOST}:{site.ports['sns']}" if site.has("sns") else "",
        topics=f"arn:aws:sns:{AWS_REGION}:{AWS_ACCOUNT}",
        region=AWS_REGION,
        access_key=access_key,
        secret_key=secret_key,
        messages=OBSERVABILITY / "sns.tmpl",
        pagerduty_url=f"http://{HOST}:{site.ports['subscribers']}/v2/enqueue" if site.has("sns") else "",
        routing_key=ROUTING_KEY,
    )
    files = {path: config}
    return _beside(site, "alertmanager", command, Ready(port, "/-/ready"), files=files)


def sns_parts(site: Site) -> list[PartSpec]:
    """SQS, the front before it, and who listens; they find one another by address and start in any order."""
    sqs, sns, subscribers = (site.ports[name] for name in ("sqs", "sns", "subscribers"))
    told = {
        "ACCOUNT": AWS_ACCOUNT,
        "REGION": AWS_REGION,
        "CREDENTIALS_FILE": str(site.secrets.aws_credentials),
        "TIME_SCALE": str(site.topology.observability.sns_time_scale),
    }
    front = told | {
        "PORT": str(sns),
        "STATE_FILE": str(site.layout.data / "sns.sqlite"),
        "SQS_URL": f"http://{HOST}:{sqs}",
        "LAMBDA_URL": f"http://{HOST}:{subscribers}",
    }
    listening = told | {
        "ROUTING_KEY": ROUTING_KEY,
        "PORT": str(subscribers),
        "SNS_URL": f"http://{HOST}:{sns}",
        "CLUSTER_DIRECTORY": str(site.layout.directory),
        "LOG_DIRECTORY": str(site.layout.logs),
    }
    moto = (sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(sqs))
    modules = {name: (sys.executable, "-m", f"alerts.{name}") for name in ("sns", "subscribers")}
    return [
        _beside(site, "sqs", moto, Ready(sqs, "/moto-api/")),
        _beside(
            site,
            "sns",
            (sys.executable, "-m", "alerts.sns"),
            Ready(sns, "/healthz"),
            environment=prefixed("SNS", front),
        ),
        _beside(
            site,
            "subscribers",
            modules["subscribers"],
            Ready(subscribers, "/readyz"),
            environment=prefixed("SUBSCRIBERS", listening),
        ),
    ]


def prefixed(prefix: str, settings: dict[str, str]) -> dict[str, str]:
    return {f"{prefix}_{name}": value for name, value in settings.items()}


def loki(site: Site) -> PartSpec:
    path, port = site.layout.config / "loki.yaml", site.ports["loki"]
    config = render(
        "observability/loki.yaml",
        host=HOST,
        port=port,
        grpc_port=site.ports["loki-grpc"],
        directory=site.layout.data / "loki",
    )
    command = (str(site.programs.loki), f"-config.file={path}")
    return _beside(site, "loki", command, Ready(port, "/ready", deadline_s=60.0), files={path: config})


def collector(site: Site) -> PartSpec:
    path = site.layout.config / "collector.yaml"
    health = site.ports["collector-health"]
    config = render(
        "observability/collector.yaml",
        host=HOST,
        port=site.ports["collector"],
        grpc_port=site.ports["collector-grpc"],
        metrics_port=site.ports["collector-metrics"],
        health_port=health,
        directory=site.layout.data / "collector",
        logs=site.layout.logs,
        spans=site.spans,
        loki=f"{HOST}:{site.ports['loki']}" if site.has("loki") else "",
    )
    # Synchronous: a line that was read is in the queue on disk before the file's offset moves on.
    gates = "--feature-gates=stanza.synchronousLogEmitter"
    command = (str(site.programs.collector), f"--config={path}", gates)
    return _beside(site, "collector", command, Ready(health, "/"), files={path: config})


def node_exporter(site: Site) -> PartSpec:
    port = site.ports["node-exporter"]
    collectors = [f"--collector.{name}" for name in NODE_COLLECTORS]
    command = (
        "/usr/bin/prometheus-node-exporter",
        "--collector.disable-defaults",
        *collectors,
        f"--web.listen-address={HOST}:{port}",
        "--log.format=json",
        "--log.level=warn",
    )
    return _beside(site, "node-exporter", command, Ready(port, "/"))


def process_exporter(site: Site) -> PartSpec:
    path, port = site.layout.config / "process-exporter.yml", site.ports["process-exporter"]
    command = (
        "/usr/bin/prometheus-process-exporter",
        f"-config.path={path}",
        f"-web.listen-address={HOST}:{port}",
        "-threads=false",
        "-gather-smaps=false",
    )
    files = {path: render("observability/process-exporter.yml")}
    return _beside(site, "process-exporter", command, Ready(port, "/"), files=files)


def redis_exporter(site: Site) -> PartSpec:
    port = site.ports["redis-exporter"]
    passwords = site.layout.secrets / "redis_exporter.json"
    address = f"redis://{HOST}:{site.ports['redis']}"
    command = (
        "/usr/bin/prometheus-redis-exporter",
        f"-redis.addr={address}",
        f"-redis.password-file={passwords}",
        f"-web.listen-address={HOST}:{port}",
        "-redis-only-metrics",
        "-log-format=json",
    )
    files = {passwords: json.dumps({address: site.secrets.redis_password_file.read_text()})}
    return _beside(site, "redis-exporter", command, Ready(port, "/health"), layer=Layer.KEPT, files=files)


def postgres_exporter(site: Site, shard: int) -> PartSpec:
    name = f"postgres-exporter-{shard}"
    port = site.ports[name]
    command = (
        "/usr/bin/prometheus-postgres-exporter",
        f"--web.listen-address={HOST}:{port}",
        f"--extend.query-path={OBSERVABILITY / 'postgres-queries.yml'}",
        "--disable-settings-metrics",
        "--log.format=json",
        "--log.level=warn",
    )
    # Not the ledger's own database: that one is dropped at a renewal, and the statistics are the server's.
    environment = {
        "DATA_SOURCE_URI": f"{HOST}:{site.ports[f'ledger-{shard}']}/postgres?sslmode=disable",
        "DATA_SOURCE_USER": EXPORTER,
        "DATA_SOURCE_PASS": site.secrets.password(EXPORTER),
    }
    return _beside(site, name, command, Ready(port, "/"), layer=Layer.KEPT, environment=environment)


def wait_sampler(site: Site, shard: int) -> PartSpec:
    name = f"wait-sampler-{shard}"
    port = site.ports[name]
    environment = {
        "WAIT_SAMPLER_PORT": str(port),
        "WAIT_SAMPLER_DSN": site.secrets.dsn(site.ports[f"ledger-{shard}"], EXPORTER, "postgres"),
    }
    command = (sys.executable, "-m", "target_system.ledger.wait_sampler")
    return _beside(site, name, command, Ready(port, "/metrics"), layer=Layer.KEPT, environment=environment)


def boards(site: Site) -> PartSpec:
    """The lab's own rendering; it asks only while somebody looks."""
    port = site.ports["boards"]
    command: tuple[str, ...] = (sys.executable, "-m", "dashboards.live", "--port", str(port))
    command += ("--prometheus", f"{HOST}:{site.ports['prometheus']}")
    command += ("--loki", f"{HOST}:{site.ports['loki']}") if site.has("loki") else ()
    return _beside(site, "boards", command, Ready(port, "/healthz"))


def grafana(site: Site, program: Path) -> PartSpec:
    """A Grafana found on this machine; `dashboards.grafana_server` writes its boards and becomes it."""
    port, folder, path = site.ports["boards"], site.layout.data / "grafana", site.layout.config / "grafana.ini"
    provisioned = site.layout.config / "grafana"
    config = render(
        "observability/grafana.ini",
        host=HOST,
        port=port,
        directory=folder,
        provisioning=provisioned / "provisioning",
        password_file=site.secrets.grafana_password_file,
    )
    environment = {
        "LAB_PROMETHEUS_URL": f"http://{HOST}:{site.ports['prometheus']}",
        "LAB_LOKI_URL": f"http://{HOST}:{site.ports['loki']}" if site.has("loki") else "",
        "LAB_BOARDS": str(provisioned / "boards"),
    }
    command = (sys.executable, "-m", "dashboards.grafana_server", str(program), str(path), str(provisioned))
    return _beside(site, "boards", command, Ready(port, "/api/health"), files={path: config}, environment=environment)


def _beside(
    site: Site,
    name: str,
    command: tuple[str, ...],
    ready: Ready,
    layer: Layer = Layer.BESIDE,
    files: dict[Path, str] | None = None,
    environment: dict[str, str] | None = None,
) -> PartSpec:
    return PartSpec(
        name=name,
        component=without_number(name),
        layer=layer,
        command=command,
        ready=ready,
        alive=Alive.by_http(ready.port, "/"),
        restarts=site.topology.observability.restarts,
        group=f"{GROUP}/{name}",
        environment=GO_COLLECTS_SELDOM | (environment or {}),
        files=files or {},
    )
