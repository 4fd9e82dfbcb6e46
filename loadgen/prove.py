"""The interventions of a run: levers turned in short, interleaved windows under one continuous load.

In every round each lever has three turns next to each other: less, as it is, more. Which lever comes when and in which
order its arms are is drawn from the seed, and that order is reversed from round to round (ABBA), so that a drift of the
machine weighs on all arms alike, and each arm is compared with its neighbours. What was turned and when goes into the
run; `analysis.elasticity` judges it there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Any, Self

from deploy.cluster import Cluster, ClusterError
from deploy.documents import fault_text
from deploy.faults.fault import FaultError
from deploy.levers import Arm, Lever, Pool, Replicas, available, pulled
from loadgen.campaign import Campaign, CampaignError, PlannedWindow, Prove, configuration_name

END_DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Turn:
    round: int
    lever: Lever
    arm: Arm


def schedule(levers: Sequence[Lever], rounds: int, seed: int) -> list[Turn]:
    draw = Random(f"{seed}/levers")
    orders = {lever.name: draw.sample(list(Arm), k=len(Arm)) for lever in levers}
    turns = []
    for number in range(1, rounds + 1):
        for lever in draw.sample(list(levers), k=len(levers)):
            turns += [Turn(number, lever, arm) for arm in orders[lever.name]]
            orders[lever.name].reverse()
    return turns


def levers_of(campaign: Campaign, planned: PlannedWindow) -> dict[str, Lever]:
    """Name → lever: those that the campaign asks for, else all that each turn a capacity of their own.

    One gateway more is more CPU and more connections, and a connection more is more commits under way, which is what a
    faster commit gives as well: beside such a lever neither is taken, since elasticities of one capacity do not add up.

    Raises CampaignError where one that is asked for is not to be had.
    """
    known = {lever.name: lever for lever in available(planned.topology, campaign.standing)}
    asked = campaign.prove.levers if campaign.prove else ()
    if unknown := [name for name in asked if name not in known]:
        have = ", ".join(known) or "none: give parts a quota, or slow a disk or a link"
        raise CampaignError([f"prove.levers: {', '.join(unknown)} cannot be turned here; use some of {have}"])
    if asked:
        return {name: known[name] for name in asked}
    twice = {"gateway replicas"} if "gateway cpu" in known else set()
    twice |= {"ledger pool"} if "ledger commit" in known else set()
    return {name: lever for name, lever in known.items() if name not in twice}


def window_to_prove(campaign: Campaign, likeliest: str) -> PlannedWindow:
    """The configuration that the campaign asks for, or the likeliest. Raises CampaignError."""
    if campaign.load.users is None:
        raise CampaignError(["load: is an open loop, whose throughput follows no lever; prove under users"])
    asked = campaign.prove.configuration if campaign.prove else {}
    name = configuration_name(asked) if asked else likeliest
    for planned in campaign.plan():
        if configuration_name(planned.parameters) == name:
            return planned
    known = ", ".join(dict.fromkeys(configuration_name(planned.parameters) for planned in campaign.plan()))
    raise CampaignError([f"prove.configuration: is {name}, which is none of the sweep; use {known}"])


def proof_of(campaign: Campaign, planned: PlannedWindow, levers: Sequence[Lever]) -> Campaign:
    """A campaign of that one configuration, loaded for as long as the turns take."""
    prove = campaign.prove or Prove()
    of_topology = {key: value for key, value in planned.parameters.items() if not key.startswith("load.")}
    for lever in levers:
        of_topology |= lever.overrides if isinstance(lever, Replicas | Pool) else {}
    settled_s = prove.turn_s / 2  # so that the last turn ends before the load does
    load = planned.load.model_copy(update={"duration_s": prove.duration_s(len(levers)) + settled_s})
    change: Mapping[str, Any] = {
        "name": f"{campaign.name[:34]}_proof", "overrides": {**campaign.overrides, **of_topology}, "sweep": {},
        "load": load, "repetitions": 1, "faults": (), "search": None, "short": None, "gates": type(campaign.gates)(),
        "prove": prove.model_copy(
            update={"configuration": dict(planned.parameters), "levers": tuple(lever.name for lever in levers)}
        ),
    }  # fmt: skip
    return campaign.model_copy(update=dict(change))


def foresee(campaign: Campaign) -> None:
    """What a proof would stumble over is said before anything is measured, as far as it does not depend on what is
    measured: the spare gateway of a lever wants its share of the machine as well. Raises CampaignError."""
    window = window_to_prove(campaign, configuration_name(campaign.plan()[0].parameters))
    levers = list(levers_of(campaign, window).values())
    if faults := proof_of(campaign, window, levers).problems():
        raise CampaignError([f"the proof: {fault_text(fault)}" for fault in faults])


class Interventions:
    """`start` when the measured part is known; leaving the context puts the levers back. `rows` tell what was done."""

    def __init__(self, cluster: Cluster, window: str, campaign: Campaign, levers: Sequence[Lever]) -> None:
        self.rows: list[dict[str, Any]] = []
        self._cluster, self._window, self._levers = cluster, window, levers
        self._how = campaign.prove or Prove()
        self._turns = schedule(levers, self._how.rounds, campaign.seed) if levers else []
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._reverts = ExitStack()

    def __enter__(self) -> Self:
        self._reverts.enter_context(pulled(self._cluster, self._levers))
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(END_DEADLINE_S)
        self._reverts.close()
        if error is None and self._error is not None:
            raise self._error

    def start(self, measured_from_ns: int) -> None:
        if self._turns:
            self._thread = threading.Thread(target=self._turn_all, args=(measured_from_ns,), name="levers", daemon=True)
            self._thread.start()

    def _turn_all(self, measured_from_ns: int) -> None:
        turn_ns, settle_ns = round(self._how.turn_s * 1e9), round(self._how.settle_s * 1e9)
        try:
            for number, turn in enumerate(self._turns):
                starts_ns = measured_from_ns + number * turn_ns
                if self._ended.wait(max(0.0, (starts_ns - time.time_ns()) / 1e9)):
                    return
                self._turn(turn, starts_ns + settle_ns, starts_ns + turn_ns)
        except (ClusterError, FaultError) as error:
            self._error = error

    def _turn(self, turn: Turn, settled_ns: int, ended_ns: int) -> None:
        """One lever at a time: the one before goes back to where it was."""
        last = next((lever for lever in self._levers if self.rows and lever.name == self.rows[-1]["lever"]), turn.lever)
        if last is not turn.lever:
            last.set(self._cluster, Arm.BASE)
        written = turn.lever.set(self._cluster, turn.arm)
        self.rows.append({
            "window": self._window, "round": turn.round, "lever": turn.lever.name,
            "component": turn.lever.component, "arm": str(turn.arm), "written": written,
            "started_ns": time.time_ns(), "settled_ns": settled_ns, "ended_ns": ended_ns,
        })  # fmt: skip
