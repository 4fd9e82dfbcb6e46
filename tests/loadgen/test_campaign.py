"""A campaign is read whole or refused with every fault and its line; its plan is random, interleaved and repeatable."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from loadgen.campaign import Campaign, CampaignError
from loadgen.outlook import outlook

CAMPAIGNS = sorted((Path(__file__).parents[2] / "loadgen" / "campaigns").glob("*.yaml"))
GOOD = """\
name: tiny
title: Two gateways
topology: unbounded
sweep:
  gateways: [1, 2, 4]
  load.users: [10, 20]
load:
  users: 40
  think_time_s: 0.5
  duration_s: 10
repetitions: 3
seed: 7
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return path


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(CampaignError) as caught:
        Campaign.read(written(tmp_path, text))
    return [fault.replace(f"{tmp_path}/", "") for fault in caught.value.faults]


@pytest.mark.parametrize("path", CAMPAIGNS, ids=lambda path: path.stem)
def test_every_shipped_campaign_is_read_and_planned_long_and_short(path: Path) -> None:
    campaign, short = Campaign.read(path), Campaign.read(path, short=True)
    assert campaign.name == path.stem
    assert len(campaign.plan()) > 0
    assert short.duration_s() < campaign.duration_s()
    assert len(outlook(campaign).lines) == len(campaign.plan())
    assert outlook(short).total_s < outlook(campaign).total_s


def test_each_repetition_runs_every_configuration_once_in_an_order_of_its_own(tmp_path: Path) -> None:
    plan = Campaign.read(written(tmp_path, GOOD)).plan()
    assert [window.position for window in plan] == list(range(18))
    blocks = [[w.name.rpartition("/")[0] for w in plan[start : start + 6]] for start in (0, 6, 12)]
    assert all(len(set(block)) == 6 for block in blocks)
    assert Counter(blocks[0]) == Counter(blocks[1]) == Counter(blocks[2])
    assert len({tuple(block) for block in blocks}) > 1
    assert [window.name for window in Campaign.read(written(tmp_path, GOOD)).plan()] == [w.name for w in plan]
    other_seed = GOOD.replace("seed: 7", "seed: 8")
    assert [window.name for window in Campaign.read(written(tmp_path, other_seed)).plan()] != [w.name for w in plan]


def test_a_window_has_the_topology_and_the_load_of_its_parameters(tmp_path: Path) -> None:
    listed = GOOD + "order: listed\noverrides: {ledger.shared_buffers_mb: 64}\n"
    last = Campaign.read(written(tmp_path, listed)).plan()[-1]
    assert last.name == "gateways=4,users=20/3"
    assert last.parameters == {"gateways": 4, "load.users": 20}
    assert (last.topology.gateways.replicas, last.topology.ledger.shared_buffers_mb) == (4, 64)
    assert (last.load.users, last.load.think_time_s) == (20, 0.5)


def test_every_fault_is_said_at_once_with_its_line(tmp_path: Path) -> None:
    broken = GOOD.replace("users: 40", "users: -5").replace("title", "titel").replace("0.5", "-1")
    assert faults(tmp_path, broken) == [
        "c.yaml:1: title: is missing; add it",
        "c.yaml:2: titel: is not known; did you mean title?",
        "c.yaml:8: load.users: is -5; use a number above 0",
        "c.yaml:9: load.think_time_s: is -1; use 0.0 or more",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("topology: unbounded", "topology: nowhere", "c.yaml:3: topology: is nowhere, which is no file of"),
        ("[1, 2, 4]", "[]", "c.yaml:5: sweep.gateways: "),
        ("[1, 2, 4]", "[2, 2]", "c.yaml:5: sweep.gateways: names 2 twice"),
        ("[1, 2, 4]", "[1, -4]", "gateways=-4,users=10: overrides: gateways.replicas: is -4; use 1 or more"),
        ("  gateways:", "  gatways:", "gatways"),
        ("load.users: [10, 20]", "load.users: [0]", "c.yaml:6: sweep.load.users: is 0; use a number above 0"),
        ("load.users: [10, 20]", "load.rate: [1]", "c.yaml:6: sweep.load.rate: is not known"),
        ("seed: 7", "flow: {add: 0.9}", "c.yaml:12: flow: add + cancel + take is 1.3; make it 1"),
        ("seed: 7", "flow: {accounts: 1000}", "c.yaml:12: flow.accounts: is 1000; the topology has 64"),
        ("seed: 7", "short: {repetitions: 0}", "c.yaml:12: short.repetitions: is 0; use a number above 0"),
        ("seed: 7", "seed: [", "not YAML"),
    ],
)
def test_a_fault_names_the_place_and_the_remedy(tmp_path: Path, old: str, new: str, said: str) -> None:
    found = faults(tmp_path, GOOD.replace(old, new))
    assert [fault for fault in found if said in fault], found


def test_the_example_of_the_reference_is_a_campaign(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "campaign.md").read_text()
    example = page.split("```yaml\n")[1].split("```")[0]
    assert len(Campaign.read(written(tmp_path, example)).plan()) == 24


def test_a_campaign_written_as_run_reads_back_as_itself(tmp_path: Path) -> None:
    campaign = Campaign.read(written(tmp_path, GOOD))
    assert Campaign.read(written(tmp_path, campaign.as_yaml())) == campaign


OPEN = """\
name: open
title: An open loop
topology: unbounded
sweep:
  load.arrivals.rate_per_s: [100, 200]
load:
  arrivals: {kind: poisson, rate_per_s: 50}
  duration_s: 10
"""


def test_an_open_loop_is_swept_by_its_rate(tmp_path: Path) -> None:
    plan = Campaign.read(written(tmp_path, OPEN)).plan()
    assert [(window.name, window.load.rate_per_s(1)) for window in sorted(plan, key=lambda w: w.name)] == [
        ("arrivals.rate_per_s=100/1", 100.0),
        ("arrivals.rate_per_s=200/1", 200.0),
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rate_per_s: 50", "rate_per_s: -5", "c.yaml:7: load.arrivals.rate_per_s: is -5; use a number above 0"),
        (
            "rate_per_s: 50",
            "rate_per_s: 1000000",
            "c.yaml:7: load.arrivals.rate_per_s: is 1000000; use 100000.0 or less",
        ),
        ("[100, 200]", "[0]", "c.yaml:5: sweep.load.arrivals.rate_per_s: is 0; use a number above 0"),
        ("poisson", "tides", "load.arrivals: "),
        ("  duration_s", "  users: 4\n  duration_s", "c.yaml:6: load: has both users and arrivals; keep one"),
        ("  arrivals: {kind: poisson, rate_per_s: 50}\n", "", "load: is empty; say users or arrivals"),
        ("  duration_s", "  workers: 64\n  duration_s", "c.yaml:8: load.workers: is 64, this machine has"),
        (
            "{kind: poisson, rate_per_s: 50}",
            "{kind: spike, rate_per_s: 50, peak_per_s: 90, at_s: 10, for_s: 2}",
            "c.yaml:7: load.arrivals.at_s: is 10, and 10 s are measured; let the spike come earlier",
        ),
    ],
)
def test_a_fault_of_an_open_loop_names_the_place_and_the_remedy(tmp_path: Path, old: str, new: str, said: str) -> None:
    found = faults(tmp_path, OPEN.replace(old, new))
    assert [fault for fault in found if said in fault], found


def test_a_recording_that_ends_before_the_window_does_is_refused(tmp_path: Path) -> None:
    played = OPEN.replace("rate_per_s: [100, 200]", "speed: [1, 10]").replace(
        "{kind: poisson, rate_per_s: 50}", "{kind: replay, file: loadgen/campaigns/recordings/session.csv}"
    )
    said = "load.arrivals.file: lasts 3 s at speed 10, a window 14; shorten the window or play slower"
    assert faults(tmp_path, played) == [f"c.yaml:7: {said}"]


def test_more_workers_than_cores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match=r"load\.workers: is 64, this machine has"):
        Campaign.read(written(tmp_path, OPEN)).with_workers(64)


@pytest.mark.parametrize(
    ("workers", "hosts", "said"),
    [
        (0, [], r"load\.workers: is 0, and there are no hosts; use 1 or more, or name hosts"),
        (None, ["h1:lab", "h1:lab"], r"load\.hosts: name h1:lab twice"),
        (None, ["-oProxyCommand=x:lab"], r"load\.hosts\[0\]"),
        (None, ["h1"], r"load\.hosts\[0\]"),
    ],
)
def test_hosts_that_cannot_be_reached_so_are_refused(
    tmp_path: Path, workers: int | None, hosts: list[str], said: str
) -> None:
    with pytest.raises(CampaignError, match=said):
        Campaign.read(written(tmp_path, OPEN)).with_workers(workers, hosts)


FAULTY = GOOD + "faults:\n  - {at_s: 2, for_s: 3, fault: {kind: freeze, part: gateway-1}}\n"


def test_a_campaign_with_faults_and_gates_reads_back_as_itself(tmp_path: Path) -> None:
    campaign = Campaign.read(written(tmp_path, FAULTY + "gates: {p99_ms: 100, regression: {baseline: a-b}}\n"))
    assert campaign.faults[0].fault.model_dump()["part"] == "gateway-1"
    assert Campaign.read(written(tmp_path, campaign.as_yaml())) == campaign


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("at_s: 2", "at_s: 9", "faults[0]: ends 12 s into a window of 10 s; shorten it"),
        ("gateway-1", "gateway-9", "faults[0].fault: gateway-9 is no part of this topology"),
        ("kind: freeze", "kind: melt", "faults[0].fault"),
        ("seed: 7", "seed: 7\ngates: {p99: 5}", "gates.p99: is not known; did you mean p99_ms?"),
        ("seed: 7", "seed: 7\ngates: {p99_ms: -5}", "gates.p99_ms: is -5; use a number above 0"),
    ],
)
def test_faults_and_gates_that_cannot_be_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    found = faults(tmp_path, FAULTY.replace(old, new))
    assert [fault for fault in found if said in fault], found
