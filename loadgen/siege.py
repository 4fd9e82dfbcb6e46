"""What every kind of torture shares: parts that are not given up, load for as long as a block takes, the outcome."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa

from deploy.cluster import Cluster
from deploy.topology import Topology
from loadgen.campaign import Campaign
from loadgen.latency import acknowledgements, read_receipts
from loadgen.probe import Probe
from loadgen.reconcile import TOTALS, reconcile_window
from loadgen.steady import steady_load

LOAD_MAX_S = 3_600.0

CAMPAIGN = Campaign.model_validate({
    "name": "torture", "title": "Parts struck under load", "topology": "unbounded",
    "overrides": {"gateways": 2, "market_data.replicas": 1, "history.replicas": 1},
    "load": {"users": 16, "think_time_s": 0.02, "warm_up_s": 0, "duration_s": LOAD_MAX_S, "timeout_s": 5},
})  # fmt: skip


class TortureError(Exception):
    """The cluster did not come back; the text says after what."""


@dataclass(slots=True)
class Outcome:
    """Totals over all rounds. `struck`: how often what was done; `recovery_s` by component."""

    struck: Counter[str] = field(default_factory=Counter)
    totals: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOTALS, 0))
    differences: list[str] = field(default_factory=list)
    recovery_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def cycles(self) -> int:
        return self.struck.total()

    @property
    def kept(self) -> bool:
        return not self.differences and self.totals["acknowledged"] > 0

    def add(self, round_name: str, found: Mapping[str, Any]) -> None:
        for name in TOTALS:
            self.totals[name] += found[name]
        self.differences += [f"{round_name}: {text}" for text in found["differences"]]

    def document(self) -> dict[str, Any]:
        recovery = {
            name: {"p50": round(median(values), 3), "max": round(max(values), 3), "n": len(values)}
            for name, values in sorted(self.recovery_s.items())
        }
        return {
            "cycles": self.cycles, **self.totals, "struck": dict(sorted(self.struck.items())),
            "differences": self.differences, "recovery_s": recovery,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Siege:
    """A live cluster that is loaded again and again, and where files may go."""

    cluster: Cluster
    scratch: Path

    @contextmanager
    def round(self, name: str, topology: Topology, outcome: Outcome) -> Iterator[Probe]:
        """The cluster renewed and under load until the block ends; then all promises are counted into the outcome."""
        self.cluster.renew(topology)
        prefix, receipts = f"torture-{name}", self.scratch / "receipts"
        probe = Probe(self.cluster, prefix)
        with self.loaded(prefix, receipts):
            yield probe
        acks = pa.concat_tables([acknowledgements(prefix, prefix, read_receipts(receipts)), probe.acks()])
        outcome.add(name, reconcile_window(self.cluster, acks, self.scratch))

    def loaded(self, prefix: str, receipts: Path) -> AbstractContextManager[None]:
        return steady_load(self.cluster, CAMPAIGN, prefix, receipts, self.scratch / "generator.log")


def stubborn_topology() -> Topology:
    """What is struck: a part that is killed many times in a row is no crash loop here."""
    parts = ("gateways", "ledger", "engine", "redis", "haproxy", "settler", "market_data", "history")
    return CAMPAIGN.plan()[0].topology.with_overrides({f"{part}.restarts.restarts_max": 1_000 for part in parts})
