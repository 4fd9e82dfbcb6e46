"""Strikes the order path at random moments under load, and counts what is left of the promises.

A round renews the cluster, loads it, strikes several times and then reconciles: what clients were told against the
ledger, the replayed journal, Redis and the live books. Every part is killed or frozen in turn; between these come a
ledger whose disk is full, an emptied Redis, an engine that stands still for 5 s, and connections that are reset between
the commit and its answer. The recovery is the time from the end of the fault (the blow, where nothing ends) until an
order that was asked for since has been acknowledged through the part that was struck; a part beside the path is back
when it answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from deploy.cluster import Cluster, PartState
from deploy.faults.disk_full import DiskFull
from deploy.faults.fault import Fault, FaultError, heal
from deploy.faults.freeze import Freeze
from deploy.faults.kill import Kill
from deploy.faults.network import Reset, Toxic
from deploy.faults.redis_client import redis_of
from deploy.faults.redis_flush import RedisFlush
from deploy.install.tools import tool
from deploy.topology import Topology, without_number
from loadgen.probe import NotAcknowledgedError, Probe
from loadgen.siege import Outcome, Siege, TortureError, stubborn_topology
from target_system.ledger.projection import WATERMARK

STRIKES_A_ROUND = 10
QUIET_MAX_S = 2.0
FROZEN_MAX_S = 5.0
DISK_FULL_S = 2.0
RESET_S = 0.5
RECOVERY_DEADLINE_S = 60.0
POLL_S = 0.02
BESIDE = ("settler", "market-data", "history")
"""No order goes through these: they are back once another process answers."""


@dataclass(frozen=True, slots=True)
class Strike:
    """After `quiet_s` of load this fault for `lasts_s`."""

    fault: Fault
    quiet_s: float
    lasts_s: float = 0.0

    @property
    def part(self) -> str:
        """The part that an order must get through for the recovery to end."""
        if isinstance(self.fault, RedisFlush):
            return "redis"
        return "haproxy" if isinstance(self.fault, Toxic) else str(getattr(self.fault, "part", ""))

    @property
    def component(self) -> str:
        return "network" if isinstance(self.fault, Toxic) else without_number(self.part)

    def __str__(self) -> str:
        return " ".join([self.fault.kind, *map(str, self.fault.model_dump(exclude_defaults=True).values())])


def strikes(seed: int, cycles: int, topology: Topology) -> Iterator[Strike]:
    """The same for the same seed. Everything gets its turn, in an order drawn anew each time around."""
    draw = Random(f"{seed}/torture")
    hand: list[str | Strike] = []
    for _ in range(cycles):
        if not hand:
            cards: list[str | Strike] = [*targets(topology), *specials(topology)]
            hand = draw.sample(cards, len(cards))
        card, quiet_s = hand.pop(), draw.uniform(0, QUIET_MAX_S)
        if isinstance(card, Strike):
            yield Strike(card.fault, quiet_s, card.lasts_s)
        elif draw.random() < 0.75:
            yield Strike(Kill(part=card), quiet_s)
        else:
            yield Strike(Freeze(part=card), quiet_s, draw.uniform(0.5, FROZEN_MAX_S))


def targets(topology: Topology) -> tuple[str, ...]:
    gateways = [f"gateway-{n}" for n in range(1, topology.gateways.replicas + 1)]
    ledgers = [f"ledger-{n}" for n in range(1, topology.ledger.shards + 1)]
    market_data = [f"market-data-{n}" for n in range(1, topology.market_data.replicas + 1)]
    history = ["history"] * topology.history.replicas
    return (*gateways, *ledgers, "engine", "redis", "haproxy", "settler", *market_data, *history)


def specials(topology: Topology) -> list[Strike]:
    """What killing and freezing cannot show, as far as the topology has a place for it."""
    wanted = [
        Strike(Freeze(part="engine"), 0, FROZEN_MAX_S),
        Strike(DiskFull(part="ledger-1"), 0, DISK_FULL_S),
        Strike(RedisFlush(), 0),
        Strike(Reset(link="gateway-ledger"), 0, RESET_S),
        Strike(Reset(link="haproxy-gateway"), 0, RESET_S),
    ]
    return [strike for strike in wanted if strike.fault.misfit(topology) is None]


def torture(cycles: int, seed: int, directory: Path, scratch: Path, progress: Callable[[str], None]) -> Outcome:
    """Brings a cluster up, strikes it `cycles` times and takes it down. Raises TortureError, ClusterError."""
    topology = stubborn_topology().with_overrides({"ledger.disk_faults": True})
    if tool("toxiproxy") is None:
        progress("no connection is reset: Toxiproxy is not built (make setup)")
    else:
        topology = topology.with_overrides({"links": ["gateway-ledger", "haproxy-gateway"]})
    outcome = Outcome()
    blows = list(strikes(seed, cycles, topology))
    with Cluster.up(topology, directory, say=progress) as cluster:
        siege = Siege(cluster, scratch)
        for first in range(0, cycles, STRIKES_A_ROUND):
            before = outcome.totals["acknowledged"]
            with siege.round(f"from-{first + 1}", topology, outcome) as probe:
                for number, blow in enumerate(blows[first : first + STRIKES_A_ROUND], first + 1):
                    time.sleep(blow.quiet_s)
                    recovery_s = strike(cluster, blow, probe, outcome)
                    progress(f"cycle {number}: {blow}, back after {recovery_s:.2f} s")
            acknowledged = outcome.totals["acknowledged"] - before
            progress(f"  {acknowledged:,} commands acknowledged, {outcome.totals['lost']} lost so far")
    return outcome


def strike(cluster: Cluster, blow: Strike, probe: Probe, outcome: Outcome) -> float:
    """Seconds until an order got through the part; returns once the whole cluster is well and repeats were told."""
    try:
        probe.insist(time.monotonic() + RECOVERY_DEADLINE_S)
        struck = pids(cluster)
        with blow.fault.applied(cluster):
            time.sleep(blow.lasts_s)
        began = time.monotonic()
        await_order_through(cluster, blow.part, probe, began + RECOVERY_DEADLINE_S)
        ordered_s = time.monotonic() - began
        if isinstance(blow.fault, Kill):
            await_another_process(cluster, blow.part, struck[blow.part], began + RECOVERY_DEADLINE_S)
        recovery_s = time.monotonic() - began if blow.component in BESIDE else ordered_s
        heal(cluster, RECOVERY_DEADLINE_S)
        outcome.differences += probe.repeat(time.monotonic() + RECOVERY_DEADLINE_S)
    except (NotAcknowledgedError, FaultError) as error:
        raise TortureError(f"after {blow}: {error}") from error
    outcome.struck[str(blow)] += 1
    outcome.recovery_s[blow.component].append(recovery_s)
    return recovery_s


def await_order_through(cluster: Cluster, part: str, probe: Probe, deadline: float) -> None:
    """Raises NotAcknowledgedError."""
    sequence = probe.insist(deadline, part if part.startswith("gateway-") else "haproxy")
    while part == "redis" and applied_up_to(cluster) < sequence:
        if time.monotonic() > deadline:
            raise NotAcknowledgedError(f"Redis has not got sequence {sequence} in time")
        time.sleep(POLL_S)


def applied_up_to(cluster: Cluster) -> int:
    """The sequence number up to which Redis has everything; 0 where it does not answer."""
    try:
        with redis_of(cluster) as client:
            return int(client.get(WATERMARK) or 0)
    except FaultError:
        return 0


def await_another_process(cluster: Cluster, part: str, struck_pid: int | None, deadline: float) -> None:
    """A killed part has its old pid until the supervisor has noticed its death. Raises FaultError."""
    while not any(p.name == part and p.state is PartState.UP and p.pid != struck_pid for p in cluster.parts()):
        if time.monotonic() > deadline:
            raise FaultError(f"{part} was not restarted in time; look at lab status")
        time.sleep(POLL_S)


def pids(cluster: Cluster) -> dict[str, int | None]:
    return {part.name: part.pid for part in cluster.parts()}
