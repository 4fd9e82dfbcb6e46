"""A topology is read with every fault at once, each with its line, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.topology import Topology, TopologyError, cores_of

SHIPPED = sorted((Path(__file__).parents[2] / "deploy/topologies").glob("*.yaml"))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.yaml"
    path.write_text(text)
    return path


def faults(tmp_path: Path, text: str, cores: int = 2) -> list[str]:
    path = write(tmp_path, text)
    with pytest.raises(TopologyError) as caught:
        Topology.load(path, cores=cores)
    return [fault.removeprefix(f"{path}:") for fault in caught.value.faults]


def test_an_empty_file_is_one_gateway_without_quotas(tmp_path: Path) -> None:
    topology = Topology.load(write(tmp_path, ""))
    assert (topology.gateways.replicas, topology.quotas()) == (1, {})


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@pytest.mark.parametrize("gateways", [1, 2, 4])
def test_the_shipped_topologies_fit_two_cores_with_up_to_four_gateways(path: Path, gateways: int) -> None:
    topology = Topology.load(path, cores=2).with_overrides({"gateways": gateways})
    assert topology.faults(cores=2) == []


def test_every_fault_is_said_at_once_with_its_line(tmp_path: Path) -> None:
    text = """\
symbols: [AAPL, IBM, AAPL]
gateways:
  replicas: 0
  cpu_coers: 0.2
ledger:
  cpu_cores: -1
ports:
  engine: 7000
  engine-metrics: 7000
  gateway-9: 8000
surprise: 1
"""
    *said, unknown_port, unknown_key = faults(tmp_path, text)
    assert said == [
        "1: symbols: names AAPL twice; keep one",
        "3: gateways.replicas: is 0; use 1 or more",
        "4: gateways.cpu_coers: is not known; did you mean cpu_cores?",
        "6: ledger.cpu_cores: is -1; use 0.1 or more",
        "9: ports.engine-metrics: is 7000, which ports.engine has already; give each a port of its own",
    ]
    assert unknown_port.startswith("10: ports.gateway-9: is no listener of this topology; use one of haproxy, ")
    assert unknown_key.startswith("11: surprise: is not known; remove it, or use one of symbols, ")


def test_quotas_above_the_cores_are_refused_with_their_sum(tmp_path: Path) -> None:
    text = "engine:\n  cpu_cores: 0.5\ngateways:\n  replicas: 4\n  cpu_cores: 0.5\n"
    assert faults(tmp_path, text) == [
        "5: gateways.cpu_cores: quotas add up to 2.5 cores (gateways 2 + engine 0.5), this machine has 2; lower some"
    ]


def test_a_core_that_the_machine_lacks_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, "generator:\n  cpuset: 1-2\n") == [
        "2: generator.cpuset: is 1-2, this machine has cores 0 to 1; use those"
    ]


def test_a_setting_that_would_weaken_the_ledger_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, "ledger:\n  settings:\n    fsync: false\n") == [
        "2: ledger.settings: sets fsync, which the lab decides; remove it"
    ]


def test_more_pooled_connections_than_the_ledger_takes_are_refused(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "gateways:\n  replicas: 8\n  ledger_pool_size: 30\n")
    assert fault.startswith(
        "3: gateways.ledger_pool_size: is 30, in all 240 connections to a ledger that takes 200 with"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gateways: [1\n", "not YAML"),
        ("gateways: 1\ngateways: 2\n", "2: gateways: stands there twice; keep one"),
        ("- 1\n", "the document: "),
    ],
)
def test_what_is_no_mapping_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in "\n".join(faults(tmp_path, text))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match="cannot be read"):
        Topology.load(tmp_path / "none.yaml")


def test_overrides_change_what_they_name_and_leave_the_rest() -> None:
    base = Topology().with_overrides({"gateways.cpu_cores": 0.2})
    swept = base.with_overrides({"gateways": 4, "ledger.settings.commit_delay": 10})
    assert (swept.gateways.replicas, swept.gateways.cpu_cores) == (4, 0.2)
    assert swept.ledger.settings == {"commit_delay": 10}
    assert base.gateways.replicas == 1


def test_every_faulty_override_is_said_at_once() -> None:
    with pytest.raises(TopologyError) as caught:
        Topology().with_overrides({"gateway": 2, "ledger.shards": 0, "ports.engine": 80})
    assert caught.value.faults == (
        "overrides: gateway: is not known; use a dotted name as in gateways.replicas",
        "overrides: ledger.shards: is 0; use 1 or more",
        "overrides: ports.engine: is 80; use 1024 or more",
    )


def test_a_topology_survives_json() -> None:
    topology = Topology().with_overrides({"gateways": 3, "generator.cpuset": "1"})
    assert Topology.model_validate_json(topology.model_dump_json()) == topology


def test_a_cpuset_names_each_core_of_its_spans() -> None:
    assert cores_of("0-2,5") == {0, 1, 2, 5}
