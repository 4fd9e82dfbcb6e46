"""What may be asked of a fault, before any cluster is struck."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy.faults import catalogue
from deploy.faults.catalogue import fault_from
from deploy.faults.clock_skew import ClockSkew
from deploy.faults.disk_full import DiskFull
from deploy.faults.freeze import Freeze
from deploy.faults.hot_row import HotRow
from deploy.faults.hung_function import HungFunction
from deploy.faults.network import Latency, Reset
from deploy.faults.slow_history import SlowHistory
from deploy.topology import Topology


def test_every_kind_is_read_by_its_name_and_comes_back_the_same() -> None:
    names = [kind.model_fields["kind"].default for kind in catalogue.KINDS]
    assert len(set(names)) == len(names) == len(catalogue.KINDS)
    assert fault_from({"kind": "latency", "link": "gateway-redis", "latency_ms": 2}) == Latency(
        link="gateway-redis", latency_ms=2
    )


def test_a_fault_with_an_unknown_parameter_is_refused_with_its_place() -> None:
    with pytest.raises(ValidationError) as refused:
        fault_from({"kind": "freeze", "part": "engine", "seconds": 3})
    assert [error["loc"] for error in refused.value.errors()] == [("freeze", "seconds")]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Freeze(part="gateway-9"), "gateway-9 is no part of this topology; use one of haproxy"),
        (Reset(link="gateway-redis"), "does not go through Toxiproxy; add it to the topology's links"),
        (DiskFull(part="ledger-1"), "runs without disk faults; set ledger.disk_faults: true"),
        (DiskFull(part="redis"), "keeps nothing on disk that could fail here"),
        (ClockSkew(part="gateway-1", ahead_ms=1), "gateways run without clock faults; set gateways.clock_faults: true"),
        (HungFunction(), "no Lambda runs in this topology; set observability.sns: true"),
        (SlowHistory(row_ms=1), "no history runs in this topology; set history.replicas: 1"),
        (HotRow(shard=2), "shard 2 does not exist; the topology has 1"),
    ],
)
def test_what_does_not_fit_a_topology_is_said_with_what_to_do(fault: catalogue.Fault, said: str) -> None:
    assert said in (fault.misfit(Topology()) or "")


def test_the_reference_lists_every_kind() -> None:
    written = Path(__file__).parents[3] / "docs/reference/faults.md"
    assert written.read_text() == catalogue.reference(), (
        "run: python -m deploy.faults.catalogue > docs/reference/faults.md"
    )
