"""A Grafana found on the path is started by the cluster: provisioned, on loopback, with a generated password."""

from __future__ import annotations

import configparser
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.catalogue import BOARDS
from dashboards.grafana_server import command
from deploy.cluster import Cluster, take_down
from deploy.topology import Topology

FAKE = """\
#!{python}
import configparser, http.server, json, os, sys
config = configparser.ConfigParser()
config.read([word.removeprefix("--config=") for word in sys.argv if word.startswith("--config=")])
called = {{"argv": sys.argv[1:], "environment": {{k: v for k, v in os.environ.items() if k.startswith("LAB_")}}}}
open({record!r}, "w").write(json.dumps(called))
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()
http.server.HTTPServer((config["server"]["http_addr"], int(config["server"]["http_port"])), Health).serve_forever()
"""


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the fake Grafana on the path writes how it was called."""
    record, program = tmp_path / "called.json", tmp_path / "bin" / "grafana"
    program.parent.mkdir()
    program.write_text(FAKE.format(python=sys.executable, record=str(record)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return record


@pytest.fixture
def cluster(record: Path, tmp_path: Path) -> Iterator[Cluster]:
    on = {"observability.prometheus": True, "observability.boards": True}
    try:
        with Cluster.up(Topology().path_alone().with_overrides(on), tmp_path / "cluster") as cluster:
            yield cluster
    finally:
        take_down(tmp_path / "cluster")


def test_a_grafana_that_is_found_is_started_and_provisioned(cluster: Cluster, record: Path) -> None:
    called = json.loads(record.read_text())
    assert cluster.grafana == record.parent / "bin" / "grafana"
    assert called["argv"][0] == "server"
    config = configparser.ConfigParser()
    config.read([word.removeprefix("--config=") for word in called["argv"] if word.startswith("--config=")])
    assert f"{config['server']['http_addr']}:{config['server']['http_port']}" == cluster.address("boards")
    password = cluster.secrets.grafana_password_file
    assert config["security"]["admin_password"] == f"$__file{{{password}}}"
    assert (len(password.read_text()), oct(password.stat().st_mode & 0o777)) == (32, "0o600")
    boards = Path(called["environment"]["LAB_BOARDS"])
    assert {path.stem for path in boards.glob("*.json")} == {board.uid for board in BOARDS}
    assert (Path(config["paths"]["provisioning"]) / "datasources/lab.yaml").exists()
    assert called["environment"]["LAB_PROMETHEUS_URL"] == f"http://{cluster.address('prometheus')}"


def test_the_older_program_is_called_without_a_subcommand(tmp_path: Path) -> None:
    words = command(tmp_path / "bin" / "grafana-server", tmp_path / "grafana.ini")
    assert words[1:] == ["--homepath=/usr/share/grafana", f"--config={tmp_path / 'grafana.ini'}"]


def test_an_unpacked_grafana_is_its_own_home(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "defaults.ini").touch()
    words = command(tmp_path / "bin" / "grafana", tmp_path / "grafana.ini")
    assert words[1:] == ["server", f"--homepath={tmp_path}", f"--config={tmp_path / 'grafana.ini'}"]
