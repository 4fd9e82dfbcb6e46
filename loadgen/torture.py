"""Kills and freezes parts of the order path at random moments under load, and counts what is left of the promises.

A round renews the cluster, loads it, strikes several times and then reconciles: what clients were told against the
ledger, the replayed journal, Redis and the live books. After each blow a probe asks for one order over and over, with
the same client order id, until it is acknowledged: that time is the recovery, and the order must exist once.
"""

from __future__ import annotations

import http.client
import json
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import pyarrow as pa

from deploy.cluster import Cluster, PartState
from deploy.topology import Topology
from loadgen.campaign import Campaign
from loadgen.latency import acknowledgements, read_receipts
from loadgen.layout import TABLES
from loadgen.reconcile import TOTALS, reconcile_window
from loadgen.steady import steady_load

STRIKES_A_ROUND = 10
QUIET_MAX_S = 2.0
FROZEN_MAX_S = 5.0
RECOVERY_DEADLINE_S = 60.0
PROBE_DEADLINE_S = 2.0
PROBE_PAUSE_S = 0.02
LOAD_MAX_S = 3_600.0
PROBE_PRICE_TICKS = 1

CAMPAIGN = Campaign.model_validate({
    "name": "torture", "title": "Parts killed and frozen under load", "topology": "unbounded",
    "overrides": {"gateways": 2, "market_data.replicas": 1, "history.replicas": 1},
    "load": {"users": 16, "think_time_s": 0.02, "warm_up_s": 0, "duration_s": LOAD_MAX_S, "timeout_s": 5},
})  # fmt: skip


class TortureError(Exception):
    """The cluster did not come back; the text says after what."""


class Means(StrEnum):
    KILL = "kill"
    FREEZE = "freeze"


@dataclass(frozen=True, slots=True)
class Strike:
    """After `quiet_s` of load, `means` against `part`; a freeze ends after `frozen_s`."""

    part: str
    means: Means
    quiet_s: float
    frozen_s: float = 0.0


@dataclass(slots=True)
class Outcome:
    """Totals over all rounds; `recovery_s` by component, from the blow (or the thaw) to the next acknowledged order."""

    cycles: int = 0
    totals: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOTALS, 0))
    differences: list[str] = field(default_factory=list)
    recovery_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def kept(self) -> bool:
        return not self.differences and self.totals["acknowledged"] > 0

    def document(self) -> dict[str, Any]:
        recovery = {
            name: {"p50": round(median(values), 3), "max": round(max(values), 3), "n": len(values)}
            for name, values in sorted(self.recovery_s.items())
        }
        return {"cycles": self.cycles, **self.totals, "differences": self.differences, "recovery_s": recovery}


def strikes(seed: int, cycles: int, parts: tuple[str, ...]) -> Iterator[Strike]:
    """The same for the same seed. Every part gets its turn, in an order drawn anew each time around."""
    draw = Random(f"{seed}/torture")
    hand: list[str] = []
    for _ in range(cycles):
        hand = hand or draw.sample(parts, len(parts))
        quiet_s = draw.uniform(0, QUIET_MAX_S)
        if draw.random() < 0.75:
            yield Strike(hand.pop(), Means.KILL, quiet_s)
        else:
            yield Strike(hand.pop(), Means.FREEZE, quiet_s, draw.uniform(0.5, FROZEN_MAX_S))


def targets(topology: Topology) -> tuple[str, ...]:
    gateways = [f"gateway-{n}" for n in range(1, topology.gateways.replicas + 1)]
    ledgers = [f"ledger-{n}" for n in range(1, topology.ledger.shards + 1)]
    market_data = [f"market-data-{n}" for n in range(1, topology.market_data.replicas + 1)]
    history = ["history"] * topology.history.replicas
    return (*gateways, *ledgers, "engine", "redis", "haproxy", "settler", *market_data, *history)


def torture(cycles: int, seed: int, directory: Path, scratch: Path, progress: Callable[[str], None]) -> Outcome:
    """Brings a cluster up, strikes it `cycles` times and takes it down. Raises TortureError, ClusterError."""
    topology = never_given_up(CAMPAIGN.plan()[0].topology)
    outcome = Outcome()
    planned = list(strikes(seed, cycles, targets(topology)))
    with Cluster.up(topology, directory, say=progress) as cluster:
        for first in range(0, cycles, STRIKES_A_ROUND):
            cluster.renew(topology)
            acks = endure(cluster, planned[first : first + STRIKES_A_ROUND], first, scratch, outcome, progress)
            found = reconcile_window(cluster, acks, scratch)
            for name in TOTALS:
                outcome.totals[name] += found[name]
            outcome.differences += [f"cycles {first + 1} on: {text}" for text in found["differences"]]
            progress(f"  {found['acknowledged']:,} commands acknowledged, {found['lost']} lost")
    return outcome


def never_given_up(topology: Topology) -> Topology:
    """A part that is killed many times in a row is no crash loop here."""
    parts = ("gateways", "ledger", "engine", "redis", "haproxy", "settler", "market_data", "history")
    return topology.with_overrides({f"{part}.restarts.restarts_max": 1_000 for part in parts})


def endure(
    cluster: Cluster, blows: list[Strike], first: int, scratch: Path, outcome: Outcome, progress: Callable[[str], None]
) -> pa.Table:
    """One round under load; the acknowledgements of users and probe."""
    prefix = f"torture-{first}"
    receipts = scratch / "receipts"
    probe = Probe(cluster, prefix)
    with steady_load(cluster, CAMPAIGN, prefix, receipts, scratch / "generator.log"):
        for number, blow in enumerate(blows, first + 1):
            time.sleep(blow.quiet_s)
            recovery_s = strike(cluster, blow, probe)
            outcome.cycles += 1
            outcome.recovery_s[blow.part.rstrip("-0123456789")].append(recovery_s)
            progress(f"cycle {number}: {blow.means} {blow.part}, back after {recovery_s:.2f} s")
    return pa.concat_tables([acknowledgements(prefix, prefix, read_receipts(receipts)), probe.acks()])


def strike(cluster: Cluster, blow: Strike, probe: Probe) -> float:
    """Seconds from the blow, or from the thaw, until every part is up and an order asked for since is acknowledged."""
    struck_pid = pids(cluster)[blow.part]
    if blow.means is Means.KILL:
        cluster.signal(blow.part, signal.SIGKILL)
    else:
        cluster.signal(blow.part, signal.SIGSTOP, whole=True)
        time.sleep(blow.frozen_s)
        cluster.signal(blow.part, signal.SIGCONT, whole=True)
    began = time.monotonic()
    probe.insist(began + RECOVERY_DEADLINE_S)
    while not is_whole(cluster) or (blow.means is Means.KILL and pids(cluster)[blow.part] == struck_pid):
        if time.monotonic() > began + RECOVERY_DEADLINE_S:
            raise TortureError(f"not every part is up {RECOVERY_DEADLINE_S:g} s after {blow}; look at lab status")
        time.sleep(PROBE_PAUSE_S)
    return time.monotonic() - began


def pids(cluster: Cluster) -> dict[str, int | None]:
    """A killed part has its old pid until the supervisor has noticed its death."""
    return {part.name: part.pid for part in cluster.parts()}


def is_whole(cluster: Cluster) -> bool:
    return all(part.state is PartState.UP for part in cluster.parts())


class Probe:
    """A client that repeats each order, under the same client order id, until it has an answer."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        keys = json.loads(cluster.secrets.api_keys.read_text())
        self._account = max(int(account) for account in keys)
        self._headers = {"x-api-key": keys[str(self._account)], "content-type": "application/json"}
        self._address = cluster.address("haproxy")
        self._symbol = cluster.topology.symbols[0]
        self._prefix = prefix
        self._rows: list[dict[str, Any]] = []

    def insist(self, deadline: float) -> None:
        """Raises TortureError at the deadline (monotonic seconds)."""
        identity = f"{self._prefix}-probe-{len(self._rows)}"
        intended_ns = time.time_ns()
        while True:
            sent_ns = time.time_ns()
            answer = self._ask(identity)
            if answer is not None:
                break
            if time.monotonic() > deadline:
                raise TortureError(f"order {identity} was not acknowledged within {RECOVERY_DEADLINE_S:g} s")
            time.sleep(PROBE_PAUSE_S)
        self._rows.append({
            "window": self._prefix, "account": self._account, "client_order_id": identity, "kind": "new",
            "order_id": answer["order_id"], "sequence": answer["sequence"], "outcome": "ok",
            "intended_ns": intended_ns, "sent_ns": sent_ns, "answered_ns": time.time_ns(),
        })  # fmt: skip

    def _ask(self, identity: str) -> dict[str, Any] | None:
        order = {"client_order_id": identity, "symbol": self._symbol, "side": "buy", "type": "limit"}
        body = json.dumps(order | {"price_ticks": PROBE_PRICE_TICKS, "quantity_lots": 1})
        connection = http.client.HTTPConnection(self._address, timeout=PROBE_DEADLINE_S)
        try:
            connection.request("POST", "/v1/orders", body, self._headers)
            response = connection.getresponse()
            text = response.read()
            return json.loads(text) if response.status == http.HTTPStatus.CREATED else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def acks(self) -> pa.Table:
        return pa.Table.from_pylist(self._rows, schema=TABLES["acks"])
