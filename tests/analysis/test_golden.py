"""Real runs keep their verdicts: what was measured once on a live cluster is judged again with each change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from analysis import measured, saturation
from analysis.bottleneck import Status, verdict, weighed
from analysis.finding import Bearing, Mechanism
from loadgen.record import Run
from reports.report import write

GOLDEN = Path(__file__).parents[1] / "golden"


def test_gateways_stopped_by_their_quota_are_suspected_though_the_host_was_full_of_other_work() -> None:
    found = verdict(Run.open(GOLDEN / "gateway-bound"))
    assert (found.limit, found.status) == ("gateway", Status.SUSPECTED)
    assert [limit.name for limit in found.limits] == ["CPU quota of the gateways"] * 2
    assert any("no part of the lab" in doubt for doubt in found.doubt)


def test_users_who_mostly_think_meet_no_limit_and_nobody_is_accused_though_the_host_was_full() -> None:
    found = verdict(Run.open(GOLDEN / "healthy"))
    assert (found.limit, found.status) == ("no limit at this load", Status.NO_LIMIT)
    assert not [f for f in found.findings if f.status is Bearing.SUSPECTED and f.component not in ("host", "load")]


@pytest.mark.parametrize(
    ("name", "component", "mechanism"),
    [
        ("hot-row", "ledger", Mechanism.LOCK),  # its host was full of other work
        ("engine-slow-sync", "engine", Mechanism.COMMIT),
        ("ledger-slow-sync", "ledger", Mechanism.COMMIT),
        ("narrow-link", "network gateway-ledger", Mechanism.NETWORK),
    ],
)
def test_what_sleeps_is_suspected(name: str, component: str, mechanism: Mechanism) -> None:
    """Orders waited there many times as long as for a processor."""
    found = weighed(Run.open(GOLDEN / name))
    assert (found.status, found.limit, found.limits[0].mechanism) == (Status.SUSPECTED, component, mechanism)


def test_a_write_path_that_throughput_followed_is_proven_without_naming_rivals_or_a_confidence() -> None:
    found = verdict(Run.open(GOLDEN / "write-path-proven"))
    assert (found.limit, found.status, found.limits[0].mechanism) == ("ledger", Status.PROVEN, Mechanism.COMMIT)
    assert found.confidence is None
    assert found.sentence.endswith("limits the cluster to 137 orders/s with shards=1, users=32.")
    assert not any("Suspected as well" in doubt for doubt in found.doubt)


def test_cpu_and_rate_of_a_real_run_fit_together() -> None:
    """One gateway of 0.2 cores at 98 % of it carried some 300 orders/s: 0.65 ms of CPU each."""
    run = Run.open(GOLDEN / "gateway-bound")
    one = measured.configurations(run)[0]
    gateway = saturation.loads(run, one)["gateway"]
    assert gateway.utilisation == pytest.approx(0.98, abs=0.03)
    assert gateway.demand_us.value == pytest.approx(0.2 * gateway.utilisation / one.orders_per_s.value * 1e6, rel=0.01)
    assert 0.9 < (gateway.throttled_share or 0.0) <= 1.0


@pytest.mark.parametrize(
    "name", sorted(path.name for path in GOLDEN.iterdir() if path.is_dir() and path.name[0] != "_")
)
def test_a_golden_run_is_sealed_and_can_be_reported(name: str, tmp_path: Path) -> None:
    copy = shutil.copytree(GOLDEN / name, tmp_path / name)
    assert verdict(Run.open(copy)).sentence in write(copy).read_text()
