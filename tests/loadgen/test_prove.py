"""The turns of a proof: each lever as often less as more, neighbours in time, and everything back where it was."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

import pytest

from deploy.cluster import Cluster
from deploy.faults.slow_sync import SlowSync
from deploy.levers import Arm, Cpu, Lever, Replicas, available
from deploy.local.cpu_groups import PERIOD_US, QUOTA_US_MIN
from deploy.topology import Topology
from loadgen.campaign import Campaign, CampaignError, Prove
from loadgen.prove import Interventions, foresee, levers_of, proof_of, schedule, window_to_prove

CAMPAIGN = {
    "name": "planted", "title": "A campaign to be proven", "topology": "proving", "sweep": {"gateways": [1, 2]},
    "load": {"users": 8, "duration_s": 5},
    "prove": {"configuration": {"gateways": 1}, "rounds": 5, "turn_s": 2, "settle_s": 0.2},
}  # fmt: skip
NOWHERE = cast("Cluster", None)


@dataclass
class Recorded:
    name: str
    component: str = "gateway"
    arms: list[Arm] = field(default_factory=list)

    def set(self, cluster: Cluster, arm: Arm) -> float:  # noqa: ARG002 - as the protocol has it
        self.arms.append(arm)
        return arm.factor

    def put_back(self, cluster: Cluster) -> None:
        self.set(cluster, Arm.BASE)


def test_each_lever_is_turned_both_ways_in_every_round_and_which_comes_first_alternates() -> None:
    levers: list[Lever] = [Recorded("gateway cpu"), Recorded("engine cpu")]
    turns = schedule(levers, rounds=6, seed=3)
    assert set(Counter((turn.round, turn.lever.name, turn.arm) for turn in turns).values()) == {1}
    assert len(turns) == 6 * 2 * 3
    for lever in levers:
        arms = [turn.arm for turn in turns if turn.lever is lever]
        assert arms[:3] == arms[5:2:-1]


def test_one_lever_is_turned_at_a_time_and_all_are_put_back_when_the_load_ends_early() -> None:
    levers = [Recorded("gateway cpu"), Recorded("engine cpu")]
    campaign = Campaign.model_validate(CAMPAIGN)
    with Interventions(NOWHERE, "base/1", campaign, levers) as interventions:
        interventions.start(time.time_ns() - 9 * 10**9)
        deadline = time.monotonic() + 10
        while len(interventions.rows) < 5:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert [lever.arms[-1] for lever in levers] == [Arm.BASE, Arm.BASE]
    first = next(lever for lever in levers if lever.name == interventions.rows[0]["lever"])
    assert first.arms[4] is Arm.BASE
    assert all(row["settled_ns"] < row["ended_ns"] for row in interventions.rows)


def test_a_proof_loads_the_configuration_that_was_asked_for_until_the_last_turn_has_ended() -> None:
    campaign = Campaign.model_validate(CAMPAIGN)
    planned = window_to_prove(campaign, "gateways=2")
    proof = proof_of(campaign, planned, [Recorded("gateway cpu")])
    assert planned.parameters == {"gateways": 1}
    assert proof.plan()[0].topology.gateways.replicas == 1
    assert proof.load.duration_s == 5 * 3 * 2 + 1
    assert not proof.problems()


def test_an_open_loop_cannot_be_proven_and_says_what_can() -> None:
    load = {"arrivals": {"kind": "constant", "rate_per_s": 10}, "duration_s": 5}
    with pytest.raises(CampaignError, match="open loop"):
        window_to_prove(Campaign.model_validate({**CAMPAIGN, "load": load}), "gateways=1")


def test_levers_are_what_has_a_quota_and_what_is_delayed() -> None:
    topology = Topology.model_validate({"gateways": {"cpu_cores": 0.2}, "ledger": {"shards": 2, "disk_faults": True}})
    levers = available(topology, [SlowSync(part="ledger", delay_ms=10)])
    assert [lever.name for lever in levers] == ["gateway cpu", "ledger pool", "ledger commit"]


def test_a_quota_that_the_kernel_would_refuse_to_lower_is_no_lever() -> None:
    sections = {"gateways": {"cpu_cores": 0.1}, "redis": {"cpu_cores": 0.119}, "haproxy": {"cpu_cores": 0.12}}
    (lever,) = [lever for lever in available(Topology.model_validate(sections), []) if isinstance(lever, Cpu)]
    assert (lever.name, round(lever.cores * Arm.LESS.factor * PERIOD_US)) == ("haproxy cpu", QUOTA_US_MIN)


def test_a_proof_takes_one_lever_a_capacity_unless_the_campaign_asks_for_another() -> None:
    campaign = Campaign.model_validate(CAMPAIGN)
    planned = window_to_prove(campaign.model_copy(update={"prove": None}), "gateways=2")
    assert not {"gateway replicas"} & set(levers_of(campaign, planned))
    asked = campaign.model_copy(update={"prove": Prove(levers=("gateway replicas",))})
    assert list(levers_of(asked, planned)) == ["gateway replicas"]
    with pytest.raises(CampaignError, match="cannot be turned here"):
        levers_of(campaign.model_copy(update={"prove": Prove(levers=("disk speed",))}), planned)


def test_a_proof_by_one_gateway_more_has_that_one_to_spare() -> None:
    campaign = Campaign.model_validate(CAMPAIGN).model_copy(update={"prove": None})
    planned = window_to_prove(campaign, "gateways=2")
    proof = proof_of(campaign, planned, [Replicas(2)])
    assert proof.plan()[0].topology.gateways.replicas == 3


def test_a_spare_gateway_that_the_machine_has_no_room_for_is_refused_before_anything_is_measured() -> None:
    levers = {"prove": {"levers": ["gateway replicas"]}, "sweep": {}, "overrides": {"gateways.replicas": 2}}
    campaign = Campaign.model_validate({**CAMPAIGN, **levers})
    cores = len(os.sched_getaffinity(0))
    foresee(campaign)
    full = {"gateways.replicas": 2, "gateways.cpu_cores": (cores - 1.05) / 2}
    with pytest.raises(CampaignError, match=rf"the proof: .* this machine has {cores}"):
        foresee(campaign.model_copy(update={"overrides": full}))
